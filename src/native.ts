/**
 * The addon's surface, as native/addon/ exports it. Everything here runs on the JS thread of the environment
 * that loaded the addon; only the poll thread inside the addon is elsewhere.
 */
export interface NativeConfig {
  readonly every?: boolean;
  /** Do without what came after Linux 5.10, even where it is there. */
  readonly legacy?: boolean;
  /** Read by bpf_probe_read_kernel even where bpf_rdonly_cast is there: the way on kernels before 6.2. */
  readonly probeRead?: boolean;
  /** How refused sources are seen beside the tracepoint; 'auto' when not given. */
  readonly backend?: 'auto' | 'tracepoint' | 'fentry' | 'fexit' | 'kprobe';
  /** As on a kernel whose tracepoint kfree_skb has no more arguments; all when not given. */
  readonly kfreeSkbArguments?: 2 | 3 | 4;
  /** Packet bytes with each record, 0 to 2048. */
  readonly snaplen?: number;
  readonly ringBytes?: number;
  readonly flowSlots?: number;
  /** Pairs of network namespace and reason that are counted apart, 1 to 3839; 3839 when not given. */
  readonly totalPairs?: number;
  readonly intervalMs?: number;
  readonly wholePerFlow?: number;
  /** Network namespaces by inode number. */
  readonly netns?: readonly number[];
  readonly reasons?: readonly number[];
  /** Device names; a trailing `*` matches any rest. */
  readonly devices?: readonly string[];
  /** pcap-filter(7) expression. */
  readonly expression?: string;
}

/** Exact totals since attach. Counts are bigint: they may pass 2^53. */
export interface NativeTotal {
  readonly netns: number;
  /** SO_NETNS_COOKIE: unlike the inode number never given to another namespace. 0n: unknown. */
  readonly netnsCookie: bigint;
  readonly reason: number;
  readonly seen: bigint;
  readonly matched: bigint;
  readonly lost: bigint;
}

export interface NativeStats {
  readonly seen: bigint;
  readonly matched: bigint;
  readonly lost: bigint;
  readonly recursion: bigint;
  readonly delivered: bigint;
  readonly records: bigint;
  readonly flows: bigint;
  readonly coarse: bigint;
  /** BPF run time in ns and runs; both 0n unless kernel.bpf_stats_enabled=1. */
  readonly runNs: bigint;
  readonly runCount: bigint;
  /** 0: writes to settings are watched; else why not, a negative errno. */
  readonly sysctlErrno: number;
  /** Writes to settings that found no room in the ring buffer. */
  readonly sysctlLost: bigint;
  /** 0: changes of routes in our own network namespace are listened to; else why not, a negative errno. */
  readonly routesErrno: number;
  /** 0: programs that are executed are remembered; else why not, a negative errno. */
  readonly execErrno: number;
  /** 0: addresses of kernel text can be named; else why not, a negative errno. */
  readonly namesErrno: number;
  /** Of the tracepoint, as they are read. */
  readonly kfreeSkbArguments: number;
  readonly probeRead: boolean;
  /** What sees refused sources, ARP's too: "fentry/ip_handle_martian_source"; absent: nothing does. */
  readonly refusedHook?: string;
  /** Why nothing does, a negative errno; 0: not asked for. */
  readonly refusedErrno: number;
  /** What sees that rp_filter refused where no drop reason tells it; absent: nothing does. */
  readonly resultHook?: string;
  /** Why nothing does, a negative errno; 0: not needed. */
  readonly resultErrno: number;
}

export interface NativeNetnsCounter {
  readonly netns: number;
  /** 0n: unknown, because the namespace may not be entered or the kernel has no cookies. */
  readonly netnsCookie: bigint;
  readonly pid: number;
  readonly path: string;
  /** TcpExt IPReversePathFilter; absent when it could not be read, then `errno` says why. */
  readonly reversePathFilter?: bigint;
  readonly errno?: number;
}

export interface NativeRouteQuery {
  /** Where the packet would go: IPv4 or IPv6. */
  readonly dst: string;
  readonly src?: string;
  /** ifindex of the device that it came in by; absent: made here. */
  readonly iif?: number;
  /** ifindex of the device that it is to leave by; absent: any. Not with `iif`. */
  readonly oif?: number;
  readonly mark?: number;
}

/** The kernel's answer to a route query: either `errno` alone, or a route. */
export interface NativeRoute {
  /** Negative: ENETUNREACH, EHOSTUNREACH (unreachable), EACCES (prohibit), EINVAL (blackhole). */
  readonly errno?: number;
  /** RTN_UNICAST 1, RTN_LOCAL 2, RTN_BROADCAST 3, ... include/uapi/linux/rtnetlink.h */
  readonly type?: number;
  readonly table?: number;
  /** As configured, e.g. "10.244.3.0/24"; "0.0.0.0/0" for the default route. */
  readonly prefix?: string;
  /** Of the first next hop. */
  readonly device?: string;
  readonly ifindex?: number;
  readonly gateway?: string;
  readonly nexthopId?: number;
  /** ifindex of each next hop, at most 8 of hopCount. */
  readonly hops?: readonly number[];
  readonly hopCount?: number;
}

/** What the policy rules of a network namespace look at beside the destination. */
export interface NativeRules {
  /** There are others than the three that every namespace starts with. */
  readonly custom: boolean;
  readonly source: boolean;
  /** The device that a packet came in by. */
  readonly device: boolean;
  readonly mark: boolean;
  /** l3mdev */
  readonly vrf: boolean;
  /** TOS, protocol, ports, tunnel, user. */
  readonly other: boolean;
  /** There are rules that end a lookup themselves. */
  readonly blackhole: boolean;
  readonly unreachable: boolean;
  readonly prohibit: boolean;
}

/** What decides about sources, of a device, of `all` or of `default`: net.ipv4.conf.*. */
export interface NativeConf {
  readonly rpFilter: number;
  readonly acceptLocal: number;
  readonly srcValidMark: number;
  readonly routeLocalnet: number;
  readonly forwarding: number;
}

export interface NativeSurveyDevice {
  readonly name: string;
  /** rtnl_link_ops->kind; empty for hardware. */
  readonly kind: string;
  readonly ifindex: number;
  /** IFF_* */
  readonly flags: number;
  /** ARPHRD_* */
  readonly type: number;
  /** 0: none. */
  readonly masterIfindex: number;
  /** The other end of a pair, or the device below; 0: none. */
  readonly linkIfindex: number;
  /** Its network namespace; 0: unknown. */
  readonly linkNetns: number;
  /** Absent: the device has no IPv4 part. */
  readonly conf?: NativeConf;
}

/** An IPv4 address of a device, or behind it. */
export interface NativeSurveyAddress {
  readonly ifindex: number;
  readonly ip: string;
  readonly prefixLength: number;
  /** RT_SCOPE_*: 0 global, 253 link, 254 host. */
  readonly scope: number;
}

/** What there is in a network namespace. Something that changed meanwhile may stand there twice. */
export interface NativeSurvey {
  readonly netns: number;
  /** 0: found as a bind mount. */
  readonly pid: number;
  readonly path: string;
  /** Why it could not be looked into. */
  readonly errno?: number;
  readonly devices: readonly NativeSurveyDevice[];
  readonly addresses: readonly NativeSurveyAddress[];
  /** The device that the default route leaves by, and an address that is reached by it; absent where there is none. */
  readonly uplink?: { readonly ifindex: number; readonly outside: string };
  /** Absent where /proc/sys does not tell. */
  readonly all?: NativeConf;
  readonly defaults?: NativeConf;
}

export interface NativeNeighbours {
  readonly addresses: readonly (NativeSurveyAddress & { readonly from: 'route' | 'neighbour' })[];
  /** There are more than it looks at. */
  readonly cut: boolean;
}

/** What became of an attempt to use a hook or a feature of the kernel. */
export interface NativeTrial {
  /** "tp_btf/kfree_skb", "ringbuf", ... */
  readonly name: string;
  /** 0: it works. */
  readonly errno: number;
  /** tp_btf/kfree_skb: its arguments. */
  readonly detail: number;
  /** What failed. */
  readonly step: '' | 'find' | 'load' | 'attach';
}

/** A condition of a rule: the first bytes of a field, masked, are `value`; with `negate` they are not. */
export interface NativeCondition {
  /** enum rpf_field, native/core/rpf_ruleset.h */
  readonly field: number;
  readonly negate: boolean;
  readonly value: readonly number[];
  readonly mask: readonly number[];
}

/** A rule of netfilter, or the policy of a base chain. Numbers are those of native/core/rpf_ruleset.h. */
export interface NativeRule {
  /** enum rpf_rule_kind */
  readonly kind: number;
  /** NFPROTO_* of its table, include/uapi/linux/netfilter.h */
  readonly family: number;
  /** enum rpf_rule_hook */
  readonly hook: number;
  readonly priority: number;
  /** Rules of the same base chain, and of chains reached from it, have the same number. */
  readonly base: number;
  readonly baseChain: string;
  /** enum rpf_rule_verdict */
  readonly verdict: number;
  /** enum rpf_check; 0: it checks no reverse path. */
  readonly check: number;
  readonly isPolicy: boolean;
  readonly inBase: boolean;
  /** There are conditions that are not among `conditions`. */
  readonly more: boolean;
  readonly conditions: readonly NativeCondition[];
  /** Its own conditions, from one index up to another; the rest are those of the jumps that lead to it. */
  readonly ownFrom: number;
  readonly ownTo: number;
  /** `more`, of its own conditions alone. */
  readonly ownMore: boolean;
  readonly table: string;
  readonly chain: string;
  /** From 1, in its chain. */
  readonly number: number;
  /** 0: none. */
  readonly handle: number;
  /** The chain in which the packet is dropped, where this rule jumps to it. */
  readonly via?: string;
  readonly comment?: string;
  /** Packets that matched; absent where nobody counts them. */
  readonly packets?: number;
}

export interface NativeRuleset {
  /** In the order in which a packet meets them. Those that cannot matter are left out. */
  readonly rules: readonly NativeRule[];
  /** There were too many, or no time was left: the last ones are missing. */
  readonly isCut: boolean;
}

/**
 * Called for each batch. The records lie in `buffers[slot]`, bytes 0 to `bytes`; the addon does not touch that buffer
 * again before `release(slot)`. With all slots out the poll thread waits: back-pressure instead of growth.
 * `error` is set once, when the poll thread had to stop.
 */
export type OnBatch = (error: Error | null, slot: number, bytes: number) => void;

/** How the kernel tells pods' packets from others. */
export interface NativePodKeys {
  readonly addresses: readonly string[];
  /** Names of devices in the host. */
  readonly devices: readonly string[];
  readonly netns: readonly number[];
  /** Ids of cgroups v2 that sockets were made in. */
  readonly cgroups: readonly number[];
}

export interface NativeTracer {
  readonly buffers: readonly ArrayBuffer[];
  /** Attaches the programs and starts the poll thread. */
  attach(onBatch: OnBatch): void;
  release(slot: number): void;
  /** Replaces netns, reasons and devices. */
  configure(config: NativeConfig): void;
  /**
   * Only drops of these pods' packets: with one of these addresses, or in one of these network namespaces, or on one of these
   * devices, or with a socket of one of these cgroups. Replaces what was set before. Throws E_INTERNAL for more than 12288 of them together.
   */
  setPods(keys: NativePodKeys): void;
  /**
   * Watches route lookups, so that drops carry the one for their source (FLAGS.WITNESS, detail.witness_*). Costs some 60 ns
   * for every IPv4 route lookup of the node: on for seconds at a time. Throws when the tracer is not attached.
   */
  witness(on: boolean): void;
  /**
   * Listens to changes of routes and settings in a network namespace, or no more; in our own always. Costs a socket that keeps
   * the namespace alive, for a second at most after the last path to it is gone. Returns 0 or a negative errno: ENOSPC when
   * there are 16 already, ESRCH when it cannot be found, EPERM when it cannot be entered.
   */
  watch(netns: number, on: boolean): number;
  /**
   * A program that was executed lately, as a record without a setting (struct rpf_sysctl): by the number of its process in its
   * own PID namespace and the network namespace in which it was executed.
   */
  executed(number: number, netns: number): ArrayBuffer | undefined;
  /** "symbol+0xoffset" of a kernel text address, or undefined where the kernel gives none. */
  symbol(address: bigint): string | undefined;
  /**
   * Gives up, for good and in every thread of the process, all capabilities but those in keep (bit n: number n of
   * linux/capability.h) and what this tracer needs while it is attached. Programs that are started afterwards get none.
   */
  giveUpCapabilities(keep: bigint): void;
  stats(): NativeStats;
  totals(): NativeTotal[];
  /** Detaches the programs; resolves when everything they left has gone through onBatch and was released. */
  detach(): Promise<void>;
  /** Detaches without draining, joins the poll thread and frees everything. Idempotent; every call resolves. */
  close(): Promise<void>;
}

export interface NativeAddon {
  /** Hash of the record layout that the addon was built with; equal to LAYOUT_HASH in src/record/layout.gen.ts. */
  readonly layoutHash: string;
  /** Throws an Error with `code` (one of src/errors.ts), `errno` and `message`. */
  readonly Tracer: new (
    config: NativeConfig,
  ) => NativeTracer;
  /**
   * Begins to load in another thread what the next Tracer takes over, if its configuration says the same of all but intervalMs,
   * wholePerFlow, totalPairs, filters, and which expression it is. What goes wrong is thrown by that one.
   */
  loadAhead(config: NativeConfig): void;
  /** Drop reasons of the running kernel, from its BTF: number to name. */
  reasons(): Map<number, string>;
  netnsCounters(): NativeNetnsCounter[];
  /** Asks the kernel in a network namespace (inode number, 0 = our own). Throws when it cannot be asked (ESRCH, EPERM). */
  route(netns: number, query: NativeRouteQuery): NativeRoute;
  /** Of a family, 4 (the default) or 6. Throws as route() does. */
  rules(netns: number, family?: number): NativeRules;
  /**
   * The netfilter rules that may drop packets of a family, 4 or 6, in hooks, a set of 1 << enum rpf_rule_hook. Throws as route()
   * does.
   */
  ruleset(netns: number, family: number, hooks: number, budgetMs: number): NativeRuleset;
  /** A setting under /proc/sys, e.g. "net/ipv4/conf/all/rp_filter", in a network namespace. Throws as route() does. */
  setting(netns: number, name: string): string;
  /** One IPv4 setting, e.g. "rp_filter", of `all`, `default` and every device: pairs of device and value. Throws as route(). */
  settings(netns: number, setting: string): [device: string, value: string][];
  /** Every network namespace that can be found, our own first. */
  survey(): NativeSurvey[];
  /** Addresses behind the devices: with a route of their own (/32), or as neighbours. Throws as route() does. */
  neighbours(netns: number): NativeNeighbours;
  /** Tries each hook and feature with a program that does nothing, and takes it away again. */
  trials(): NativeTrial[];
  /** flock(2) until it is closed. Returns whether nobody else has it; throws where the file system has no locks. */
  lock(fd: number): boolean;
  /** undefined when the expression is valid. `position` is a byte offset into it. */
  checkFilter(expression: string): { message: string; position: number } | undefined;
}
