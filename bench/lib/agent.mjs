import { createServer } from 'node:http';

/**
 * A Cilium agent as far as a tracer asks it: as many pods as the largest nodes have, the one that loses the packets of the
 * flood among them, and one of them another one each time that it is asked.
 */
export async function startAgent(socket, { device, address }) {
  let asked = 0;
  const server = createServer((request, response) => {
    if (request.url !== '/v1/endpoint') return response.writeHead(404).end();
    const others = Array.from({ length: PODS - 1 }, (_, i) =>
      endpoint(i + 2 + (i === 0 ? PODS * ++asked : 0)),
    );
    response.writeHead(200, { 'content-type': 'application/json' });
    return response.end(JSON.stringify([endpoint(1, device, address), ...others]));
  });
  await new Promise((resolve, reject) => {
    server.once('error', reject).listen(socket, resolve);
  });
  return { close: () => server.close() && server.closeAllConnections() };
}

function endpoint(id, device = `lxc${id}`, address = `10.245.${(id >> 8) & 255}.${id & 255}`) {
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
