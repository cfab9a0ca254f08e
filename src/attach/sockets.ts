import { connect, isIP, isIPv6, type NetConnectOpts, type Socket } from 'node:net';
import type { DuplexOptions } from 'node:stream';
import { type ConnectionOptions, checkServerIdentity, connect as connectTls } from 'node:tls';
import { TracerError } from '../errors.js';
import { readNamedFile } from '../named-file.js';
import { printable } from '../printable.js';
import type { Credentials, Place } from './place.js';
import { PlaceError } from './place-error.js';
import type { HttpTarget } from './target.js';

/** Who may open the socket may ask: it takes no token. */
export function unixPlace(path: string): Place {
  const name = `unix:${path}`;
  return {
    name,
    host: 'localhost',
    prefix: '',
    token: () => undefined,
    connect: (signal) => open(name, signal, () => connectSocket({ path }), 'connect'),
  };
}

export function tcpPlace({ host, port, prefix }: HttpTarget, { token }: Credentials): Place {
  const authority = authorityOf(host, port);
  const name = `http://${authority}${prefix}`;
  const options: NetConnectOpts = { host, port, ...ALIVE };
  return {
    ...{ name, host: authority, prefix, token },
    connect: (signal) => open(name, signal, () => connectSocket(options), 'connect'),
  };
}

export function tlsPlace({ host, port, prefix }: HttpTarget, credentials: Credentials): Place {
  const { token, tlsCa, tlsServerName } = credentials;
  const authority = authorityOf(host, port);
  const name = `https://${authority}${prefix}`;
  const expected = tlsServerName ?? host;
  return {
    ...{ name, host: authority, prefix, token },
    connect: async (signal) => {
      const options: ConnectionOptions = {
        ...{ host, port, ...ALIVE, minVersion: 'TLSv1.2' },
        // An address is no name that a server could be asked for, RFC 6066 section 3.
        ...(isIP(expected) === 0 && { servername: expected }),
        checkServerIdentity: (_, certificate) => checkServerIdentity(expected, certificate),
        ...(tlsCa !== undefined && { ca: readNamedFile(tlsCa, 'E_USAGE') }),
      };
      return open(name, signal, () => connectTls(options), 'secureConnect');
    },
  };
}

/**
 * The server of this machine, where nobody has said which: its socket, else a port. A token is for who was named, not for
 * whoever has taken the port first.
 */
export function localPlace(path: string, target: HttpTarget): Place {
  const port = tcpPlace(target, { token: () => undefined });
  const tokenRemedies = [
    `a token is sent to a place that is named only: rpftrace attach ${port.name} --token-file FILE`,
  ];
  return anyPlace([unixPlace(path), { ...port, tokenRemedies }]);
}

/** Several, of which the first that can be reached counts. Their server is the same one. */
export function anyPlace(places: readonly [Place, ...Place[]]): Place {
  const [first] = places;
  const name = places.map((place) => place.name).join(' or ');
  let reached: Place = first;
  return {
    ...{ name, host: first.host, prefix: '' },
    token: () => reached.token(),
    get tokenRemedies() {
      return reached.tokenRemedies;
    },
    connect: async (signal) => {
      const failures: string[] = [];
      for (const place of places) {
        try {
          const connection = await place.connect(signal);
          reached = place;
          return connection;
        } catch (error) {
          signal.throwIfAborted();
          failures.push((error as Error).message);
        }
      }
      throw new TracerError('E_UNREACHABLE', failures.join('\n'));
    },
  };
}

/** Reads little at a time: of a thousand servers that all have much to tell, each has one such portion here before any can go on. */
function connectSocket(options: NetConnectOpts): Socket {
  const socket: Socket = connect({
    ...options,
    ...BUFFERED,
    onread: {
      buffer: READ_BUFFER,
      // What it returns says whether to read on.
      callback: (count) => socket.push(Buffer.from(READ_BUFFER.subarray(0, count))),
    },
  });
  return socket;
}

function open(name: string, signal: AbortSignal, start: () => Socket, ready: string): Promise<Socket> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const socket = start();
    const fail = (why: string, cause?: Error) => {
      settle();
      socket.destroy();
      reject(unreachable(name, why, cause));
    };
    const timer = setTimeout(() => fail(`it did not answer within ${CONNECT_MS / 1000} s`), CONNECT_MS);
    const onError = (error: NodeJS.ErrnoException) => fail(whyOf(error), error);
    const onAbort = () => fail('it was given up');
    const onReady = () => {
      settle();
      resolve(socket);
    };
    const settle = () => {
      clearTimeout(timer);
      socket.off('error', onError);
      // What goes wrong later is seen by who reads: the socket closes.
      socket.on('error', () => undefined);
      socket.off(ready, onReady);
      signal.removeEventListener('abort', onAbort);
    };
    socket.once('error', onError);
    socket.once(ready, onReady);
    signal.addEventListener('abort', onAbort);
  });
}

function unreachable(name: string, why: string, cause: Error | undefined): PlaceError {
  const remedies = REMEDIES[(cause as NodeJS.ErrnoException | undefined)?.code ?? ''];
  return new PlaceError('E_UNREACHABLE', name, why, {
    ...{ start: 'cannot connect to ', link: ': ', cause },
    ...(remedies && { remedies }),
  });
}

/** What the system says, in words; of several addresses that were tried, the first. */
function whyOf(error: NodeJS.ErrnoException): string {
  const [first = error] = error instanceof AggregateError ? (error.errors as NodeJS.ErrnoException[]) : [];
  return WHY[first.code ?? ''] ?? printable(first.message);
}

function authorityOf(host: string, port: number): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

/** What OpenSSL says of a certificate that leads to none that is trusted. */
const UNTRUSTED = [
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
];

const WHY: Record<string, string> = {
  ENOENT: 'there is no such socket',
  ECONNREFUSED: 'nobody listens there',
  EACCES: 'permission denied',
  ENOTSOCK: 'this file is no socket',
  ENOTFOUND: 'nobody knows a host of this name',
  EPROTO: 'what answers there does not speak TLS',
  ERR_SSL_WRONG_VERSION_NUMBER: 'what answers there does not speak TLS',
  ECONNRESET: 'the other side closed the connection',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  ...Object.fromEntries(
    UNTRUSTED.map((code) => [code, 'its certificate is signed by nobody who is trusted here']),
  ),
};

const REMEDIES: Record<string, readonly string[]> = {
  EACCES: [
    'run it as who may open the socket: sudo rpftrace attach ...',
    'or let a group have it: rpftrace serve with socket_mode: "0660"',
  ],
  ERR_TLS_CERT_ALTNAME_INVALID: ['give the name that it has, if that is the server: --tls-server-name NAME'],
  ...Object.fromEntries(
    UNTRUSTED.map((code) => [code, ['give the certificate of who signed it: --tls-ca FILE']]),
  ),
};

/** An answer takes over from its socket how much it keeps: one portion, and no further one before somebody wants it. */
const BUFFERED: DuplexOptions = { highWaterMark: 1 };
/** Of all connections: what is in it is copied before the next one is read. Node.js reads 64 kB at a time into one of its own. */
const READ_BUFFER = Buffer.alloc(8 << 10);
/** Longer than three tries of a SYN take. */
const CONNECT_MS = 8000;
/** Finds out that the other side is gone without a word, should its heartbeat not. */
const ALIVE = { keepAlive: true, keepAliveInitialDelay: 30_000, noDelay: true };
