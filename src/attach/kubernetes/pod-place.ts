import type { Duplex } from 'node:stream';
import { ApiClient } from '../../attribute/sources/kubernetes/client.js';
import { ApiFailure, toFailure } from '../../attribute/sources/kubernetes/failure.js';
import { textAt } from '../../attribute/sources/kubernetes/object.js';
import { printable } from '../../printable.js';
import type { Credentials, Place } from '../place.js';
import { PlaceError } from '../place-error.js';
import { accessError } from './access-error.js';
import type { KubernetesApi } from './api.js';
import { forwardPort, nameOf, type PodPort, pathOf } from './port-forward.js';

/** A server in a pod, by the port-forward of the Kubernetes API. */
export function podPlace(api: KubernetesApi, port: PodPort, { token }: Pick<Credentials, 'token'>): Place {
  const name = nameOf(port);
  let wasConnected = false;
  return {
    name,
    // The connection comes out on the pod's loopback.
    host: 'localhost',
    prefix: '',
    token,
    connect: async (signal) => {
      try {
        const stream = await forward(api, port, signal);
        wasConnected = true;
        return stream;
      } catch (error) {
        const failure = toFailure(error);
        const link = ` by ${api.credentials.at}: `;
        const { code, remedies } = accessError(name, failure);
        // Pods come back under their name, tokens are renewed: what has worked may work again.
        throw new PlaceError(wasConnected ? 'E_UNREACHABLE' : code, name, failure.message, {
          ...{ start: 'cannot connect to ', link, remedies, cause: failure },
        });
      }
    },
  };
}

/** Once more where the credentials had run out, and with what is known of the pod where it did not work. */
async function forward(api: KubernetesApi, port: PodPort, signal: AbortSignal): Promise<Duplex> {
  try {
    return await forwardPort(api, port, signal);
  } catch (error) {
    const failure = toFailure(error);
    if (failure.kind === 'unauthorized') return await forwardPort(api, port, signal);
    if (failure.kind !== 'refused' && failure.kind !== 'missing') throw failure;
    throw (await stateOfPod(api, port, signal)) ?? failure;
  }
}

/** Why nothing can be forwarded, where the pod is the reason. Undefined where that is not known. */
async function stateOfPod(
  { credentials, timing }: KubernetesApi,
  port: PodPort,
  signal: AbortSignal,
): Promise<ApiFailure | undefined> {
  try {
    const client = new ApiClient(credentials, timing, signal);
    const pod = await client.getObject(pathOf(port), `get of pods in namespace ${port.namespace}`);
    const phase = textAt(pod, 'status', 'phase');
    if (phase === 'Running' || phase === undefined) return undefined;
    return new ApiFailure('refused', `the pod does not run: it is ${printable(phase)}`);
  } catch (error) {
    if (toFailure(error).kind !== 'missing') return undefined;
    return new ApiFailure('missing', `there is no pod ${printable(port.pod)} in namespace ${port.namespace}`);
  }
}
