import { isIP, isIPv6 } from 'node:net';
import { TracerError } from '../../errors.js';
import { printable } from '../../printable.js';

/** Where a server listens. */
export type Address =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

/** "unix:/run/x.sock", "/run/x.sock", "127.0.0.1:14100", "[::1]:14100", ":14100" for all addresses. Throws E_USAGE. */
export function parseAddress(text: string): Address {
  const path = text.startsWith('unix:') ? text.slice('unix:'.length) : text;
  if (path.startsWith('/')) return unixAddress(path);
  const match = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2] ?? '';
  const port = Number(match?.[3]);
  const isHost = host === '' || host === 'localhost' || isIP(host) > 0;
  if (match && isHost && port <= 65_535) return { kind: 'tcp', host: host === '' ? '::' : host, port };
  throw usage(`${printable(text)} is no address to listen on`);
}

export function formatAddress(address: Address): string {
  if (address.kind === 'unix') return `unix:${address.path}`;
  return `${isIPv6(address.host) ? `[${address.host}]` : address.host}:${address.port}`;
}

/** Whether only this machine, or this pod, can get there. */
export function isLoopback(address: Address): boolean {
  return address.kind === 'unix' || /^(localhost|127\.\d+\.\d+\.\d+|::1)$/.test(address.host);
}

function unixAddress(path: string): Address {
  if (Buffer.byteLength(path) <= MAX_PATH) return { kind: 'unix', path };
  throw usage(`the path of a socket has at most ${MAX_PATH} bytes: ${printable(path)}`);
}

function usage(message: string): TracerError {
  return new TracerError('E_USAGE', message, {
    remedies: ['give unix:/run/rpftrace/rpftrace.sock, 127.0.0.1:14100, [::1]:14100, or :14100 for all'],
  });
}

/** sun_path without its terminator, include/uapi/linux/un.h */
const MAX_PATH = 107;
