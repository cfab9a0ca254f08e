import { createServer } from 'node:http';

/** A Kubernetes API as far as a tracer asks it: one node, one pod on it, and Events that are made for that. */
export class KubeApi {
  /** Events that were made. */
  created = 0;
  /** Resolves when somebody knows the pod and waits for changes. */
  watched;
  #isWatched;
  #pod;
  #server;

  constructor({ node, address }) {
    this.#pod = {
      metadata: { name: 'pod-0', namespace: 'bench', uid: 'uid-0', resourceVersion: '1' },
      spec: { nodeName: node },
      status: { phase: 'Running', podIP: address, podIPs: [{ ip: address }] },
    };
  }

  async open() {
    this.watched = new Promise((resolve) => {
      this.#isWatched = resolve;
    });
    this.#server = createServer((request, response) => this.#answer(request, response));
    await new Promise((resolve, reject) => {
      this.#server.once('error', reject).listen(0, '127.0.0.1', resolve);
    });
    return this;
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  close() {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #answer(request, response) {
    const { pathname, searchParams } = new URL(request.url, this.url);
    const send = (status, body) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    if (request.method === 'POST') {
      request.resume();
      this.created++;
      send(201, {});
    } else if (searchParams.get('watch') === 'true') {
      response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders(); // nothing changes
      if (pathname === PODS) this.#isWatched();
    } else {
      const items = pathname === PODS ? [this.#pod] : [];
      send(200, { kind: 'List', apiVersion: 'v1', metadata: { resourceVersion: '1' }, items });
    }
  }
}

const PODS = '/api/v1/pods';
