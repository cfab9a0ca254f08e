import type { Interface, PodSighting } from '../../source.js';
import { addressesIn } from '../address.js';
import { arrayIn, countIn, type Json, objectIn, stringIn } from '../json.js';

/**
 * The pod of an endpoint, as GET /v1/endpoint tells it (api/v1/models/endpoint.go). undefined for those that are no pods: the
 * host, its health check, the ingress.
 */
export function podOfEndpoint(element: unknown): PodSighting | undefined {
  const { id, status } = objectIn(element);
  const endpointId = countIn(id);
  const { 'external-identifiers': identifiers, networking, identity } = objectIn(status);
  const name = nameOf(objectIn(identifiers));
  if (endpointId === undefined || name === undefined) return undefined;
  const container = stringIn(objectIn(identifiers)['container-id']);
  return {
    // A pod with several interfaces has an endpoint for each.
    key: container ?? `endpoint ${endpointId}`,
    ...name,
    uid: stringIn(objectIn(identifiers)['k8s-uid']),
    interfaces: [interfaceOf(objectIn(networking))],
    containers: container === undefined ? undefined : [{ id: container }],
    cilium: { endpointId, identity: countIn(objectIn(identity).id) },
  };
}

/** The endpoints of one pod as one sighting: the pod is known by its first. */
export function mergeEndpoints(pods: readonly PodSighting[]): PodSighting[] {
  const merged = new Map<string, PodSighting>();
  for (const pod of [...pods].sort((a, b) => numberOf(a) - numberOf(b))) {
    const first = merged.get(pod.key);
    const interfaces = [...(first?.interfaces ?? []), ...pod.interfaces];
    merged.set(pod.key, { ...(first ?? pod), interfaces });
  }
  return [...merged.values()];
}

/** Before 1.7 there is only pod-name, "namespace/name". */
function nameOf(identifiers: Json): Pick<PodSighting, 'namespace' | 'name'> | undefined {
  const namespace = stringIn(identifiers['k8s-namespace']);
  const name = stringIn(identifiers['k8s-pod-name']);
  if (name !== undefined) return { namespace, name };
  const [oldNamespace, oldName] = stringIn(identifiers['pod-name'])?.split('/') ?? [];
  return oldName ? { namespace: oldNamespace, name: oldName } : undefined;
}

function interfaceOf(networking: Json): Interface {
  const pairs = arrayIn(networking.addressing).map(objectIn);
  return {
    ips: addressesIn(pairs.flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6])),
    hostDevice: stringIn(networking['interface-name']),
    hostIfindex: countIn(networking['interface-index']),
    podDevice: stringIn(networking['container-interface-name']),
  };
}

function numberOf({ cilium }: PodSighting): number {
  return cilium?.endpointId ?? 0;
}
