import type { IncomingMessage } from 'node:http';
import { connect, type NetConnectOpts } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';

/**
 * The kubelet's side of a port-forward by WebSocket, k8s.io/kubelet/pkg/cri/streaming/portforward/websocket.go: it takes the
 * handshake whether anybody listens or not, sends the number of the port on each channel, and says in words what went wrong.
 */
export class PortForwards {
  /** Under "namespace/pod:port": what listens there. */
  readonly targets = new Map<string, NetConnectOpts>();
  /** Those that are open now. */
  readonly open = new Set<WebSocket>();
  /** What is known at once goes out in one piece with the answer to the handshake, as through a proxy that gathers. */
  isGathered = false;
  readonly #server = new WebSocketServer({
    noServer: true,
    handleProtocols: (offered) => (offered.has(PROTOCOL) ? PROTOCOL : false),
  });

  accept(key: string, request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (this.isGathered) socket.cork();
    this.#server.handleUpgrade(request, socket, head, (client) => this.#forward(key, client));
    if (this.isGathered) process.nextTick(() => socket.uncork());
  }

  /** Ends all, as a node does that is gone. */
  cut(): void {
    for (const client of this.open) client.terminate();
  }

  stop(): void {
    this.cut();
    this.#server.close();
  }

  #forward(key: string, client: WebSocket): void {
    this.open.add(client);
    client.on('close', () => this.open.delete(client));
    client.on('error', () => undefined);
    const port = Number(key.slice(key.lastIndexOf(':') + 1));
    for (const channel of [DATA, ERROR]) client.send(Buffer.of(channel, port & 255, port >> 8));
    const target = this.targets.get(key);
    if (target === undefined) giveUp(client, port, 'dial tcp4 127.0.0.1: connect: connection refused');
    else pipe(client, port, target);
  }
}

function pipe(client: WebSocket, port: number, target: NetConnectOpts): void {
  const inside = connect(target);
  inside.on('data', (bytes: Buffer) => {
    inside.pause();
    client.send(Buffer.concat([Buffer.of(DATA), bytes]), () => inside.resume());
  });
  inside.on('end', () => client.close());
  inside.on('error', (error: Error & { code?: string }) =>
    giveUp(client, port, error.code === 'ECONNREFUSED' ? 'connection refused' : error.message),
  );
  client.on('message', (message: Buffer) => {
    if (message[0] === DATA) inside.write(message.subarray(1));
  });
  client.on('close', () => inside.destroy());
}

function giveUp(client: WebSocket, port: number, why: string): void {
  // As containerd 1.6 says it.
  const id = '0123456789abcdef'.repeat(4);
  const netns = '/var/run/netns/cni-eea07504-7339-50bd-cbee-17c4834cf7ab';
  const inside = `failed to connect to localhost:${port} inside namespace "${id}", IPv4: ${why}`;
  const words = `error forwarding port ${port} to pod ${id}, uid : failed to execute portforward in network namespace "${netns}": ${inside}`;
  client.send(Buffer.concat([Buffer.of(ERROR), Buffer.from(words)]));
  client.close();
}

const PROTOCOL = 'v4.channel.k8s.io';
const DATA = 0;
const ERROR = 1;
