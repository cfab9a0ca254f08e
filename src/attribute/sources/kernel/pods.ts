import type { PodSighting } from '../../source.js';
import type { Process } from './processes.js';

/** The pods that processes are in. */
export function podsOf(processes: ReadonlyMap<number, Process>): PodSighting[] {
  const nodeNetns = processes.get(1)?.owner ? undefined : processes.get(1)?.netns;
  const pods = [...groupByPod(processes.values())];
  return pods.map(([uid, members]) => {
    const root = members.find((member) => isRoot(member, processes)) ?? members[0];
    const netns = root?.netns;
    const isNodes =
      root !== undefined && netns !== undefined && (netns === nodeNetns || sharesWithParent(root, processes));
    const ids = new Set(members.flatMap(({ owner }) => owner?.container ?? []));
    return {
      key: uid,
      uid,
      interfaces: [],
      hostNetwork: netns === undefined ? undefined : isNodes,
      netns: isNodes ? undefined : netns,
      containers: [...ids].sort().map((id) => ({ id })),
      cgroups: cgroupsOf(members),
    };
  });
}

/** In an order that stays. Undefined where none is known. */
function cgroupsOf(members: readonly Process[]): PodSighting['cgroups'] {
  const ids = new Map(
    members.flatMap(({ cgroup, owner }) => (cgroup === undefined ? [] : [[cgroup, owner?.container]])),
  );
  if (ids.size === 0) return undefined;
  return [...ids].sort(([a], [b]) => a - b).map(([id, container]) => ({ id, container }));
}

/** In the order of their numbers. */
function groupByPod(processes: Iterable<Process>): Map<string, Process[]> {
  const groups = new Map<string, Process[]>();
  for (const process of [...processes].sort((a, b) => a.pid - b.pid)) {
    if (!process.owner) continue;
    const group = groups.get(process.owner.uid);
    if (group) group.push(process);
    else groups.set(process.owner.uid, [process]);
  }
  return groups;
}

/**
 * Started by the runtime, not by another process of the pod: what a pod starts may have a network namespace of its own, as
 * docker in docker has.
 */
function isRoot({ parent, owner, netns }: Process, processes: ReadonlyMap<number, Process>): boolean {
  return netns !== undefined && processes.get(parent)?.owner?.uid !== owner?.uid;
}

/** The runtime's shim is in the network namespace of the node: so is a pod that has the same. */
function sharesWithParent({ parent, netns }: Process, processes: ReadonlyMap<number, Process>): boolean {
  const shim = processes.get(parent);
  return shim !== undefined && !shim.owner && shim.netns === netns;
}
