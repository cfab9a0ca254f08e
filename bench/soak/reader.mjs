import { once } from 'node:events';
import { request } from 'node:http';

/** One connection to /v1/events that is read into a ledger, as far as whole lines came. */
export class Reader {
  #response;
  #rest = '';
  #ledger;

  /** `place`: where the server is and what it wants to be brought. Throws what the answer says unless it is 200. */
  static async open(place, ledger, { query = 'since=1h', headers = {} } = {}) {
    const reader = new Reader();
    reader.#ledger = ledger;
    ledger.resume();
    const sent = request({
      ...place,
      agent: false,
      path: `/v1/events?${query}`,
      headers: { ...place.headers, ...headers },
    });
    const answered = once(sent.end(), 'response');
    sent.on('error', () => undefined); // after the answer: the ledger shows what is missing
    const [response] = await answered;
    if (response.statusCode !== 200) throw new Error(`${query}: answered with ${response.statusCode}`);
    response.setEncoding('utf8').on('data', (text) => reader.#take(text));
    response.on('error', () => undefined);
    reader.#response = response;
    return reader;
  }

  /** Resolves when the stream is over. */
  get over() {
    return this.#response.closed ? Promise.resolve() : once(this.#response, 'close');
  }

  pause() {
    this.#response.pause();
  }

  resume() {
    this.#response.resume();
  }

  /** Without a word. */
  cut() {
    this.#response.removeAllListeners('data');
    this.#response.destroy();
  }

  /** Its half of the connection: no more is sent to the server. */
  half() {
    this.#response.socket.end();
  }

  /** Events of a stream of server-sent events are its data lines. */
  #take(text) {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop();
    const isSse = this.#response.headers['content-type'].startsWith('text/event-stream');
    for (const line of lines) {
      if (!isSse) this.#ledger.take(line);
      else if (line.startsWith('data: ')) this.#ledger.take(line.slice('data: '.length));
    }
  }
}
