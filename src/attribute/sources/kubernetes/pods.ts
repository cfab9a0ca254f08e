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
    createdMs: createdMsOf(pod),
  };
}

/** By the server's clock. Where that is ahead of ours, it was not made later than now. */
function createdMsOf(pod: unknown): number | undefined {
  const createdMs = Date.parse(textAt(pod, 'metadata', 'creationTimestamp') ?? '');
  return Number.isNaN(createdMs) ? undefined : Math.min(createdMs, Date.now());
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

interface Container {
  readonly id: string;
  readonly name: string | undefined;
}

/**
 * Of all kinds, and those that have ended: their packets may still be on the way. These have no name, so that a pod with one
 * container that runs has one name.
 */
function containersOf(pod: unknown): Container[] {
  const found = new Map<string, Container>();
  const add = (text: string | undefined, name: string | undefined) => {
    const id = text?.replace(/^[^/]*:\/\//, '');
    if (id && !found.has(id) && found.size < MAX_CONTAINERS) found.set(id, { id, name });
  };
  for (const status of CONTAINER_KINDS.flatMap((kind) => listAt(pod, 'status', kind))) {
    const hasEnded = valueAt(status, 'state', 'terminated') !== undefined;
    add(textAt(status, 'containerID'), hasEnded ? undefined : textAt(status, 'name'));
    add(textAt(status, 'state', 'terminated', 'containerID'), undefined);
    add(textAt(status, 'lastState', 'terminated', 'containerID'), undefined);
  }
  return [...found.values()];
}

const CONTAINER_KINDS = ['containerStatuses', 'initContainerStatuses', 'ephemeralContainerStatuses'];
const MAX_CONTAINERS = 256;
