import type { ApiFailure, FailureKind } from '../../attribute/sources/kubernetes/failure.js';
import { type ErrorCode, TracerError } from '../../errors.js';
import { AGENTS } from '../target.js';

/** A failure of the Kubernetes API for people: `what` could not be done, and what to do about it. */
export function accessError(what: string, failure: ApiFailure): TracerError {
  return new TracerError(codeOf(failure.kind), `${what}: ${failure.message}`, {
    remedies: REMEDIES[failure.kind] ?? ['try it with kubectl: kubectl get pods -A'],
    cause: failure,
  });
}

/** E_UNREACHABLE where trying again may help. */
function codeOf(kind: FailureKind): ErrorCode {
  switch (kind) {
    case 'credentials':
    case 'unauthorized':
    case 'forbidden':
    case 'tls':
      return 'E_DENIED';
    case 'missing':
      return 'E_NO_SERVER';
    default:
      return 'E_UNREACHABLE';
  }
}

export const LIST_AGENTS = `kubectl get pods -A -l ${AGENTS.selector} -o wide`;
const REMEDIES: Partial<Record<FailureKind, readonly string[]>> = {
  credentials: ['give a kubeconfig and a context: --kubeconfig FILE --context NAME'],
  unauthorized: ['log in again, as you do for kubectl; see who you are: kubectl auth whoami'],
  forbidden: [
    'have it granted; get and create are both asked for: {apiGroups: [""], resources: [pods/portforward], verbs: [get, create]}, and get, list and watch of pods',
    'see what you may: kubectl auth can-i create pods/portforward -n NAMESPACE',
  ],
  missing: [`see what runs where: ${LIST_AGENTS}`],
};
