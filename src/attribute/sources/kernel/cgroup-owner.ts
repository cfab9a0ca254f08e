/** Which pod a process belongs to, and which of its containers. */
export interface CgroupOwner {
  /** As Kubernetes writes it. Of a static pod it is the hash of its manifest, without dashes. */
  readonly uid: string;
  readonly container: string | undefined;
}

/**
 * Reads it out of /proc/PID/cgroup: on cgroup v1 and v2, with kubelet's systemd driver
 * (kubepods-burstable-pod<uid>.slice/cri-containerd-<id>.scope) and its cgroupfs driver (/kubepods/burstable/pod<uid>/<id>),
 * below whatever the node itself lives in. undefined for a process that is in no pod.
 */
export function cgroupOwner(text: string): CgroupOwner | undefined {
  for (const line of text.split('\n')) {
    const owner = ownerInPath(line);
    if (owner) return owner;
  }
  return undefined;
}

function ownerInPath(path: string): CgroupOwner | undefined {
  const pod = POD.exec(path);
  // CRI-O's conmon stands beside its container in the pod's cgroup, and in the network of the node.
  if (!pod?.[1] || path.includes('conmon')) return undefined;
  const rest = path.slice(pod.index + pod[0].length);
  return { uid: pod[1].replaceAll('_', '-'), container: CONTAINER.exec(rest)?.[1] };
}

/** systemd's names of slices have "_" for "-". */
const POD = /kubepods.*?[/-]pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})(?=[./:]|$)/;

/** ID, cri-containerd-ID.scope, crio-ID.scope, docker-ID.scope, or slice:cri-containerd:ID. */
const CONTAINER = /(?:^|[/:-])([0-9a-f]{64})(?:\.scope)?(?:\/|$)/;
