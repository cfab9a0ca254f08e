import type { KubernetesApi } from './kubernetes/api.js';
import type { Credentials, Place } from './place.js';
import { localPlace, tcpPlace, tlsPlace, unixPlace } from './sockets.js';
import { DEFAULT_PORT, DEFAULT_SOCKET, type HttpTarget, type Target } from './target.js';

/** Opens the places that are named: nothing is connected yet. Throws a TracerError. */
export type PlaceOpener = (target: Target) => Promise<Place>;

/** Pods share the way into their cluster: the kubeconfig is read once, and its plugins run once. `signal` closes that way. */
export function placeOpener(credentials: Credentials, signal?: AbortSignal): PlaceOpener {
  let cluster: Promise<KubernetesApi> | undefined;
  return async (target) => {
    switch (target.kind) {
      case 'default':
        return localPlace(DEFAULT_SOCKET, LOCAL);
      case 'unix':
        return unixPlace(target.path);
      case 'http':
        return target.isTls ? tlsPlace(target, credentials) : tcpPlace(target, credentials);
      case 'kubernetes': {
        cluster ??= openCluster(credentials, signal);
        const { podPlace } = await import('./kubernetes/pod-place.js');
        return podPlace(await cluster, target, credentials);
      }
    }
  };
}

/** The client of Kubernetes takes its megabytes only where it is used. */
async function openCluster({ kubernetes = {} }: Credentials, signal?: AbortSignal): Promise<KubernetesApi> {
  const { openApi } = await import('./kubernetes/api.js');
  return await openApi(kubernetes, signal);
}

const LOCAL: HttpTarget = {
  kind: 'http',
  isTls: false,
  host: '127.0.0.1',
  port: DEFAULT_PORT,
  prefix: '',
};
