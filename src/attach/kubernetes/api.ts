import { ApiClient } from '../../attribute/sources/kubernetes/client.js';
import {
  type Credentials,
  SURROUNDINGS,
  type Surroundings,
} from '../../attribute/sources/kubernetes/credentials.js';
import { ApiFailure, toFailure } from '../../attribute/sources/kubernetes/failure.js';
import { findCredentials } from '../../attribute/sources/kubernetes/find-credentials.js';
import { TIMING, type Timing } from '../../attribute/sources/kubernetes/timing.js';
import type { KubernetesOptions } from '../../attribute/sources/kubernetes-options.js';
import { accessError } from './access-error.js';

/** The way into a cluster, with the user's own credentials. */
export interface KubernetesApi {
  readonly credentials: Credentials;
  readonly client: ApiClient;
  readonly timing: Timing;
}

/** What tests change. */
export interface ApiParts {
  readonly surroundings?: Surroundings;
  readonly timing?: Timing;
}

/** Reads the kubeconfig, or whatever else there is; asks nobody anything yet. `signal` ends all questions. Throws E_DENIED. */
export async function openApi(
  options: Pick<KubernetesOptions, 'kubeconfig' | 'context'>,
  signal: AbortSignal = new AbortController().signal,
  { surroundings = SURROUNDINGS, timing = TIMING }: ApiParts = {},
): Promise<KubernetesApi> {
  try {
    const credentials = await findCredentials(options, surroundings);
    if (credentials === undefined)
      throw new ApiFailure('credentials', 'there is no kubeconfig and no service account');
    signal.addEventListener('abort', () => credentials.close());
    return { credentials, client: new ApiClient(credentials, timing, signal), timing };
  } catch (error) {
    throw accessError('cannot reach the Kubernetes API', toFailure(error));
  }
}
