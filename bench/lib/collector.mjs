import { createServer } from 'node:http';

/** Takes what an OpenTelemetry collector would take, and forgets it. */
export class Collector {
  requests = 0;
  bytes = 0;
  #server;
  #port = 0;

  /** The same port again where it was open before. */
  async open() {
    this.#server = createServer((request, response) => this.#take(request, response));
    await new Promise((resolve, reject) => {
      this.#server.once('error', reject).listen(this.#port, '127.0.0.1', resolve);
    });
    this.#port = this.#server.address().port;
    return this;
  }

  get url() {
    return `http://127.0.0.1:${this.#port}`;
  }

  close() {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #take(request, response) {
    try {
      for await (const piece of request) this.bytes += piece.length;
    } catch {
      return; // cut off: the collector is down, or its client
    }
    this.requests++;
    response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
  }
}
