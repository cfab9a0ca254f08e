import type { Interface, PodSighting } from '../../source.js';
import { addressesOf, listAt, textAt, textsAt, valueAt } from './object.js';
import { workloadOf } from './workload.js';

/** A pod of the API as attribution wants it. Undefined for what is no pod. */
export function podSighting(pod: unknown): PodSighting | undefined {
  const namespace = textAt(pod, 'metadata', 'namespace');
  const name = textAt(pod, 'metadata', 'name');
  const uid = textAt(pod, 'metadata', 'uid');
  if (namespace === undefined || name === undefined || uid === undefined) return undefined;
  const hostNetwork = valueAt(pod, 'spec', 'hostNetwork') === true;
  const createdMs = Date.parse(textAt(pod, 'metadata', 'creationTimestamp') ?? '');
  return {
    key: uid,
    namespace,
    name,
    uid,
    interfaces: hostNetwork || hasEnded(pod) ? [] : interfacesOf(pod),
    hostNetwork,
    containers: containersOf(pod),
    workload: workloadOf(pod),
    labels: textsAt(pod, 'metadata', 'labels'),
    createdMs: Number.isNaN(createdMs) ? undefined : createdMs,
  };
}

/** A pod that has ended still shows its addresses, and others may have them by now. */
function hasEnded(pod: unknown): boolean {
  return ['Succeeded', 'Failed'].includes(textAt(pod, 'status', 'phase') ?? '');
}

function interfacesOf(pod: unknown): Interface[] {
  const ips = addressesOf([
    textAt(pod, 'status', 'podIP'),
    ...listAt(pod, 'status', 'podIPs').map((entry) => textAt(entry, 'ip')),
  ]);
  const attached = attachmentsOf(pod);
  const main = attached.find((one) => one.isDefault || one.ips.some((ip) => ips.includes(ip)));
  const first = { ips: [...new Set([...ips, ...(main?.ips ?? [])])], podDevice: main?.podDevice };
  const others = attached.filter((one) => one !== main).map(({ ips, podDevice }) => ({ ips, podDevice }));
  return [first, ...others].filter((one) => one.ips.length > 0);
}

interface Attachment extends Interface {
  readonly isDefault: boolean;
}

/** What Multus and its like write down of the networks that a pod was attached to. The status itself has one of them only. */
function attachmentsOf(pod: unknown): Attachment[] {
  const annotations = valueAt(pod, 'metadata', 'annotations');
  const text = NETWORK_STATUS.map((name) => valueAt(annotations, name)).find(
    (one) => typeof one === 'string',
  );
  return listOf(text).map((entry) => ({
    ips: addressesOf(listAt(entry, 'ips')),
    podDevice: textAt(entry, 'interface'),
    isDefault: valueAt(entry, 'default') === true,
  }));
}

/** The second is its old name. */
const NETWORK_STATUS = ['k8s.v1.cni.cncf.io/network-status', 'k8s.v1.cni.cncf.io/networks-status'];

/** An annotation is free text: what is no list is none. */
function listOf(text: unknown): readonly unknown[] {
  try {
    const list: unknown = JSON.parse(String(text));
    return Array.isArray(list) ? list.slice(0, MAX_NETWORKS) : [];
  } catch {
    return [];
  }
}

const MAX_NETWORKS = 64;

/** Of all its kinds, and those that ran before the last restart: their packets may still be dropped. */
function containersOf(pod: unknown): { id: string; name: string | undefined }[] {
  const found = new Map<string, { id: string; name: string | undefined }>();
  for (const kind of CONTAINER_KINDS) {
    for (const status of listAt(pod, 'status', kind)) {
      const name = textAt(status, 'name');
      for (const text of [textAt(status, 'containerID'), ...ENDED.map((path) => textAt(status, ...path))]) {
        const id = text?.replace(/^[^/]*:\/\//, '');
        if (id && found.size < MAX_CONTAINERS) found.set(id, { id, name });
      }
    }
  }
  return [...found.values()];
}

const CONTAINER_KINDS = ['containerStatuses', 'initContainerStatuses', 'ephemeralContainerStatuses'];
const ENDED = [
  ['state', 'terminated', 'containerID'],
  ['lastState', 'terminated', 'containerID'],
];
const MAX_CONTAINERS = 256;
