import { createServer } from 'node:http';

/** A Cilium agent as far as a tracer asks it. `endpoints` gives what it tells, each time that it is asked. */
export class Agent {
  #socket;
  #endpoints;
  #server;

  constructor(socket, endpoints) {
    this.#socket = socket;
    this.#endpoints = endpoints;
  }

  async open() {
    this.#server = createServer((request, response) => this.#answer(request, response));
    await new Promise((resolve, reject) => {
      this.#server.once('error', reject).listen(this.#socket, resolve);
    });
    return this;
  }

  /** Its socket is gone; it can be opened again. */
  close() {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #answer({ url }, response) {
    if (url !== '/v1/endpoint') return response.writeHead(404).end();
    response.writeHead(200, { 'content-type': 'application/json' });
    return response.end(JSON.stringify(this.#endpoints()));
  }
}

/**
 * As many pods as the largest nodes have, the one that loses the packets of the flood among them, and one of them another one
 * each time that the agent is asked.
 */
export function crowdAround({ device, address }) {
  let asked = 0;
  return () => {
    const others = Array.from({ length: PODS - 1 }, (_, i) =>
      endpoint(i + 2 + (i === 0 ? PODS * ++asked : 0)),
    );
    return [endpoint(1, device, address), ...others];
  };
}

export function endpoint(id, device = `lxc${id}`, address = `10.245.${(id >> 8) & 255}.${id & 255}`) {
  return {
    id,
    status: {
      identity: { id: 10_000 + id },
      'external-identifiers': {
        'container-id': `sandbox-${id}`,
        'k8s-namespace': `namespace-${id % 20}`,
        'k8s-pod-name': `deployment-${id}-6d4cf56db6-x2x7q`,
      },
      networking: { addressing: [{ ipv4: address }], 'interface-name': device, 'interface-index': 1000 + id },
    },
  };
}

const PODS = 500;
