import { TracerError } from '../errors.js';
import type { Credentials, Place } from './place.js';
import { anyPlace, tcpPlace, tlsPlace, unixPlace } from './sockets.js';
import { DEFAULT_PORT, DEFAULT_SOCKET, type HttpTarget, type Target } from './target.js';

/** The place that was named; nothing is connected yet. Throws a TracerError. */
export async function openPlace(target: Target, credentials: Credentials): Promise<Place> {
  switch (target.kind) {
    case 'default':
      return anyPlace([unixPlace(DEFAULT_SOCKET), tcpPlace(LOCAL, credentials)]);
    case 'unix':
      return unixPlace(target.path);
    case 'http':
      return target.isTls ? tlsPlace(target, credentials) : tcpPlace(target, credentials);
    case 'kubernetes':
      throw new TracerError(
        'E_USAGE',
        'pods cannot be attached to by name: forward a port, kubectl port-forward, and give its URL',
      );
  }
}

const LOCAL: HttpTarget = {
  kind: 'http',
  isTls: false,
  host: '127.0.0.1',
  port: DEFAULT_PORT,
  prefix: '',
};
