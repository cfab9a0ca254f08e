import { rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { TracerError } from '../../errors.js';
import { type Address, formatAddress } from './address.js';
import { clearSocket, protectSocket } from './left-over.js';

export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

export interface ListenOptions {
  readonly address: Address;
  readonly tls: TlsFiles | undefined;
  readonly socketMode: number;
  readonly maxConnections: number;
  readonly onRequest: RequestListener;
}

/** One open port or socket. */
export class Listener {
  readonly address: Address;
  readonly #server: Server;

  private constructor(address: Address, server: Server) {
    this.address = address;
    this.#server = server;
  }

  /** Throws E_LISTEN. */
  static async open(options: ListenOptions): Promise<Listener> {
    const { address, tls } = options;
    if (address.kind === 'unix') await clearSocket(address.path);
    const server =
      address.kind === 'tcp' && tls
        ? createTlsServer({ ...LIMITS, ...tls, minVersion: 'TLSv1.2' }, options.onRequest)
        : createServer(LIMITS, options.onRequest);
    harden(server, options.maxConnections);
    await listen(server, address);
    if (address.kind === 'unix') protectSocket(address.path, options.socketMode);
    return new Listener(actual(address, server), server);
  }

  get url(): string {
    if (this.address.kind === 'unix') return formatAddress(this.address);
    return `${this.isTls ? 'https' : 'http'}://${formatAddress(this.address)}`;
  }

  get isTls(): boolean {
    return 'setSecureContext' in this.#server;
  }

  /** New connections get this certificate. Throws what OpenSSL says. */
  renew(tls: TlsFiles): void {
    const server = this.#server as { setSecureContext?: (tls: TlsFiles) => void };
    server.setSecureContext?.(tls);
  }

  /** Takes no more; resolves when all connections are closed. */
  close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    if (this.address.kind === 'unix') rmSync(this.address.path, { force: true });
    return closed;
  }

  destroyConnections(): void {
    this.#server.closeAllConnections();
  }
}

/** What a stranger can make the server hold on to. Nobody sends a body here. */
function harden(server: Server, maxConnections: number): void {
  server.maxConnections = maxConnections;
  server.maxHeadersCount = 64;
  server.headersTimeout = 5000;
  server.requestTimeout = 10_000;
  server.keepAliveTimeout = 5000;
  server.maxRequestsPerSocket = 1000;
  server.on('clientError', (_error, socket) => socket.destroy());
}

function listen(server: Server, address: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException) => {
      const why = WHY[error.code ?? ''] ?? error.message;
      reject(
        new TracerError('E_LISTEN', `cannot listen on ${formatAddress(address)}: ${why}`, { cause: error }),
      );
    };
    server.once('error', fail);
    const ready = () => {
      server.off('error', fail);
      // What goes wrong with a connection is that connection's.
      server.on('error', () => undefined);
      resolve();
    };
    if (address.kind === 'unix') server.listen(address.path, ready);
    else server.listen({ port: address.port, host: address.host }, ready);
  });
}

/** With the port that the system chose, where 0 was asked for. */
function actual(address: Address, server: Server): Address {
  if (address.kind === 'unix') return address;
  return { ...address, port: (server.address() as AddressInfo).port };
}

const WHY: Record<string, string> = {
  EADDRINUSE: 'somebody else listens there',
  EACCES: 'permission denied',
  EADDRNOTAVAIL: 'this machine has no such address',
};

const LIMITS: ServerOptions = {
  maxHeaderSize: 16 * 1024,
  connectionsCheckingInterval: 1000,
  // Finds out within some two minutes that the other side is gone without a word.
  keepAlive: true,
  keepAliveInitialDelay: 30_000,
  noDelay: true,
};
