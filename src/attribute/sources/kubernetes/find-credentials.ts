import type { KubernetesOptions } from '../kubernetes-options.js';
import type { Credentials, Surroundings } from './credentials.js';
import { findKubeconfig, openKubeconfig } from './kubeconfig.js';
import { openServiceAccount } from './service-account.js';

/**
 * The first that there is: --kubeconfig, $KUBECONFIG, the pod's service account, ~/.kube/config. Undefined where there is none.
 *
 * @throws {ApiFailure} when there is one that is of no use.
 */
export async function findCredentials(
  options: KubernetesOptions,
  { env, serviceAccount }: Surroundings,
): Promise<Credentials | undefined> {
  const { told, fallback } = findKubeconfig(options.kubeconfig, env);
  if (told.length > 0) return openKubeconfig(told, options.context);
  const own = await openServiceAccount(serviceAccount, env);
  if (own !== undefined && options.context === undefined) return own;
  return fallback === undefined ? own : openKubeconfig([fallback], options.context);
}
