import type { PodMember } from '../../events.js';
import { familyOf } from './identity.js';
import type { Pod } from './pod.js';

/** How a pod took part in a drop. */
export interface Part {
  readonly direction: PodMember['direction'];
  /** At the pod's end of the packet. */
  readonly ip: string | undefined;
  /** That the packet's socket was made in. */
  readonly cgroup: number | undefined;
  readonly nodeIps: readonly string[] | undefined;
  readonly conflict: PodMember['conflict'];
  /** With its labels. */
  readonly labels: boolean | undefined;
}

/** What events say of a pod. The same object as long as nothing else is known of the pod: sinks keep its text. */
export function describePod(pod: Pod, part: Part): PodMember {
  const { direction, conflict } = part;
  const ip = addressOf(pod, part);
  const container = containerOf(pod, part.cgroup);
  const key = `${direction} ${container} ${ip}`;
  const known = pod.told.get(key);
  if (known && !conflict) return known;
  const { workload, labels } = pod.facts;
  const member: PodMember = {
    ...nameOf(pod),
    ip,
    workload,
    container,
    labels: part.labels ? labels : undefined,
    direction,
    source: pod.source,
    conflict,
  };
  if (!conflict) pod.told.set(key, member);
  return member;
}

export function nameOf({
  facts: { namespace, name, uid },
}: Pod): Pick<PodMember, 'namespace' | 'name' | 'uid'> {
  return { namespace, name, uid };
}

/** Its own one in the packet, else its first. With the node's network it has those of the node. */
function addressOf(pod: Pod, { ip, nodeIps }: Part): string | undefined {
  if (ip !== undefined && pod.facts.hostNetwork) return nodeIps?.includes(ip) ? ip : undefined;
  if (pod.hasAddress(ip)) return ip;
  const all = [...pod.keys.addresses] as string[];
  return all.find((own) => ip === undefined || familyOf(own) === familyOf(ip)) ?? all[0];
}

/** The one whose socket it is, else the only one that the pod has. */
function containerOf(
  { facts: { containers = [], cgroups = [] } }: Pod,
  cgroup: number | undefined,
): string | undefined {
  const id = cgroups.find((one) => one.id === cgroup)?.container;
  const named = containers.filter(({ name }) => name !== undefined);
  const own = named.find((one) => one.id === id) ?? (named.length === 1 ? named[0] : undefined);
  return own?.name;
}
