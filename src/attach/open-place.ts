import type { Credentials, Place } from './place.js';
import { localPlace, tcpPlace, tlsPlace, unixPlace } from './sockets.js';
import {
  DEFAULT_PORT,
  DEFAULT_SOCKET,
  type HttpTarget,
  type KubernetesTarget,
  type Target,
} from './target.js';

/** The place that was named; nothing is connected yet. Throws a TracerError. */
export async function openPlace(target: Target, credentials: Credentials): Promise<Place> {
  switch (target.kind) {
    case 'default':
      return localPlace(DEFAULT_SOCKET, LOCAL);
    case 'unix':
      return unixPlace(target.path);
    case 'http':
      return target.isTls ? tlsPlace(target, credentials) : tcpPlace(target, credentials);
    case 'kubernetes':
      return await openPod(target, credentials);
  }
}

/** The client of Kubernetes takes its megabytes only where it is used. */
async function openPod(target: KubernetesTarget, credentials: Credentials): Promise<Place> {
  const [{ openApi }, { podPlace }] = await Promise.all([
    import('./kubernetes/api.js'),
    import('./kubernetes/pod-place.js'),
  ]);
  return podPlace(await openApi(credentials.kubernetes ?? {}), target, credentials);
}

const LOCAL: HttpTarget = {
  kind: 'http',
  isTls: false,
  host: '127.0.0.1',
  port: DEFAULT_PORT,
  prefix: '',
};
