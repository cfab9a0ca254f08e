/** Where knowledge about pods comes from. */
export const SOURCE_NAMES = ['cilium', 'cilium_state', 'cri', 'kubernetes', 'kernel'] as const;
export type SourceName = (typeof SOURCE_NAMES)[number];

/** A network interface of a pod; a pod may have several. */
export interface Interface {
  /** Its addresses, IPv4 and IPv6, without a prefix length. */
  readonly ips: readonly string[];
  /** The end that lies in the host: lxc..., cali..., veth.... */
  readonly hostDevice?: string | undefined;
  readonly hostIfindex?: number | undefined;
  /** The end inside of the pod: eth0. */
  readonly podDevice?: string | undefined;
}

export interface Workload {
  /** Deployment, StatefulSet, DaemonSet, Job, CronJob, ReplicaSet, ... */
  readonly kind: string;
  readonly name: string;
}

/** What one source knows of one pod. Members that the source cannot tell are not there. */
export interface PodSighting {
  /** The source's own name of it, unique within the source: a sandbox id, a UID, an endpoint id. */
  readonly key: string;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly uid?: string | undefined;
  readonly interfaces: readonly Interface[];
  /** It has the node's own network: its addresses tell nothing. */
  readonly hostNetwork?: boolean | undefined;
  /** Inode number of its network namespace. */
  readonly netns?: number | undefined;
  /** Of its sandbox and its containers, without a scheme. */
  readonly containers?: readonly { readonly id: string; readonly name?: string | undefined }[] | undefined;
  /** Ids of the cgroups v2 that its processes are in, each with the container that it is of. */
  readonly cgroups?: readonly { readonly id: number; readonly container?: string | undefined }[] | undefined;
  readonly workload?: Workload | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly cilium?: { readonly endpointId: number; readonly identity?: number | undefined } | undefined;
  /** Milliseconds since the epoch. */
  readonly createdMs?: number | undefined;
}

/** The other ends of a pod's traffic that are no pods of this node. */
export interface PeerSighting {
  readonly key: string;
  readonly kind: 'pod' | 'service' | 'node' | 'cilium_host';
  readonly ips: readonly string[];
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly workload?: Workload | undefined;
}

/** What a source knows of the node as a whole. */
export interface NodeSighting {
  readonly name?: string | undefined;
  /** Cilium: tunnel or native. */
  readonly routingMode?: string | undefined;
  /** cilium_host */
  readonly hostDevice?:
    | { readonly name: string; readonly ifindex?: number | undefined; readonly ips: readonly string[] }
    | undefined;
  readonly ips?: readonly string[] | undefined;
  /** Networks that the pods of this node, or of the cluster, have their addresses from: "10.244.3.0/24". */
  readonly podNetworks?: readonly string[] | undefined;
}

/** Takes what a source finds. Everything is bounded behind it; nothing here throws. */
export interface Observer {
  /** A pod as it is now: replaces what the source said of this key before. */
  pod(sighting: PodSighting): void;
  podGone(key: string): void;
  peer(sighting: PeerSighting): void;
  peerGone(key: string): void;
  node(sighting: NodeSighting): void;
  /** All that the source knows was told: keys of pods and peers that are not among these are gone. */
  synced(pods: ReadonlySet<string>, peers: ReadonlySet<string>): void;
}

export interface SourceState {
  readonly name: SourceName;
  /**
   * off: switched off; absent: there is no such thing on this node; connecting: not asked yet; ok: what it said is current;
   * stale: it stopped answering, what it said before is used; failed: it never gave a usable answer.
   */
  readonly state: 'off' | 'absent' | 'connecting' | 'ok' | 'stale' | 'failed';
  /** Where it was looked for: a socket, a folder, a server. No secrets. */
  readonly at?: string | undefined;
  /** What is wrong, and what to do. No secrets. */
  readonly why?: string | undefined;
  /** Milliseconds since its last usable answer. */
  readonly ageMs?: number | undefined;
  /** Pods that it tells of. */
  readonly pods?: number | undefined;
}

/** Finds out about pods on its own, and never in the way of a drop. */
export interface Source {
  readonly name: SourceName;
  readonly state: SourceState;
  /** Begins to look; returns at once, throws nothing, keeps the process alive for nothing. */
  start(observer: Observer): void;
  /** A drop came from a pod that nobody knows: a source that polls looks again now. At most every 200 ms; returns at once. */
  nudge?(): void;
  /** Resolves when its sockets and timers are gone. Idempotent. */
  stop(): Promise<void>;
}
