import { z } from 'zod';

/*
 * The events: one source of types, of validation and of the JSON Schema. Keys stand in the order in which they are
 * written. docs/events.md explains each. The tracing path takes only types from here, so that it never loads zod.
 */

const version = z
  .literal(1)
  .describe('Version of this format. It changes when a reader of this one could be misled.');
const time = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/)
  .describe('RFC 3339, UTC, nanoseconds, from the kernel’s monotonic clock');
const node = z.string().min(1).describe('The machine: --node, NODE_NAME or the host name');
const count = z.int().nonnegative();
const uint32 = z.int().min(0).max(0xffff_ffff);
const int32 = z.int().min(-0x8000_0000).max(0x7fff_ffff);
const uint16 = z.int().min(0).max(0xffff);
const uint8 = z.int().min(0).max(0xff);
const port = uint16;
const netns = uint32.describe('Network namespace: inode number, as in /proc/PID/ns/net');
const eventId = z
  .string()
  .regex(/^[0-9a-z]{8}-[1-9]\d*$/)
  .optional()
  .describe('From rpftrace serve: its boot, and the number of the event, without a gap');
const kernelAddress = z.string().regex(/^0x[0-9a-f]{16}$/);

export const POD_SOURCES = ['cilium', 'cilium_state', 'cri', 'kubernetes', 'kernel'] as const;
const podSource = z.enum(POD_SOURCES).describe('Who knows it: docs/attribution.md');
const podSourceState = z.strictObject({
  name: podSource,
  state: z
    .enum(['off', 'absent', 'connecting', 'ok', 'stale', 'failed'])
    .describe(
      'off: switched off; absent: not on this node; connecting: not asked yet; stale: it stopped answering; failed: it never answered',
    ),
  at: z.string().optional().describe('A socket, a folder, a server'),
  why: z.string().optional(),
  age_ms: z.number().nonnegative().optional().describe('Since its last usable answer'),
  pods: count.optional().describe('Pods that it tells of'),
});

export const startEvent = z.strictObject({
  v: version,
  kind: z.literal('start'),
  time: time.describe('Just before the programs were attached'),
  node,
  version: z.string().describe('Version of rpftrace'),
  kernel: z.string().describe('Release of the running kernel'),
  pid: uint32.describe('Process of rpftrace'),
  netns: netns.optional().describe('Network namespace of rpftrace'),
  mode: z
    .enum(['flow', 'every'])
    .describe('flow: drops of a flow are counted together; every: a record for each'),
  interval_ms: uint32.optional().describe('How often the counts of flows come out; in mode flow'),
  snaplen: uint32.optional().describe('Packet bytes asked for with each drop'),
  hooks: z
    .array(
      z.strictObject({
        name: z.string(),
        arguments: uint8.optional().describe('Arguments of the tracepoint on this kernel'),
        reads: z.enum(['typed', 'probe_read']).optional().describe('How kernel memory is read'),
        on_demand: z.literal(true).optional().describe('Only for some seconds after a refused source'),
      }),
    )
    .describe('What is attached'),
  filters: z
    .strictObject({
      reasons: z.array(z.string()).optional(),
      devices: z.array(z.string()).optional(),
      netns: z.array(netns).optional(),
      expression: z.string().optional(),
      namespaces: z.array(z.string()).optional().describe('Of pods'),
      pods: z.array(z.string()).optional(),
      selector: z.string().optional().describe('Of pods by their labels'),
      this_pod: z.literal(true).optional().describe('The pod that rpftrace runs in'),
    })
    .describe('Drops that do not match all of these are counted but make no event'),
  sources: z.array(podSourceState).describe('Where pods are known from'),
  degraded: z
    .array(
      z.strictObject({
        feature: z.string(),
        why: z.string(),
        missing: z.array(z.string()).optional().describe('Capabilities that would give it'),
      }),
    )
    .describe('What this kernel or these privileges do not give'),
  event_id: eventId,
});

export const packet = z.strictObject({
  family: z.enum(['ipv4', 'ipv6']).optional(),
  ethertype: z
    .string()
    .regex(/^0x[0-9a-f]{4}$/)
    .optional()
    .describe('Instead of family for what is not IP; VLAN tags looked through'),
  headers_unknown: z
    .enum(['absent', 'short', 'nonlinear', 'malformed'])
    .optional()
    .describe('Why family and addresses are not there'),
  protocol: z.string().optional().describe('tcp, udp, icmp, ... or the number'),
  src: z.union([z.ipv4(), z.ipv6()]).optional(),
  src_port: port.optional(),
  dst: z.union([z.ipv4(), z.ipv6()]).optional(),
  dst_port: port.optional(),
  transport_unknown: z
    .enum(['fragment', 'short', 'nonlinear'])
    .optional()
    .describe('Why ports, or ICMP type and code, are not there'),
  tcp_flags: z
    .string()
    .regex(/^S?F?R?P?A?U?E?C?$/)
    .optional()
    .describe('Letters of SYN, FIN, RST, PSH, ACK, URG, ECE, CWR, in this order'),
  icmp_type: uint8.optional(),
  icmp_code: uint8.optional(),
  length: uint32.describe('Bytes from the network header on; skb->len where there is none'),
  ttl: uint8.optional().describe('IPv6: hop limit'),
  mark: uint32,
  gso_segs: uint16.optional().describe('Packets on the wire that this one stands for'),
  gso_size: uint16.optional().describe('Payload bytes of each of them'),
  vlan_id: z.int().min(0).max(4095).optional(),
  fragment_offset: uint16.optional().describe('Bytes; there for IP fragments only'),
  nonlinear: z.literal(true).optional().describe('A part of the packet lies outside of the linear data'),
});

export const DEVICE_ROLES = [
  'cilium_lxc',
  'cilium_health',
  'cilium_host',
  'cilium_net',
  'cilium_overlay',
  'cilium_wireguard',
  'calico',
  'eni',
  'azure',
  'gke',
  'oke',
  'veth',
  'bridge',
  'vxlan',
  'geneve',
  'tunnel',
  'vlan',
  'tun',
  'wireguard',
  'ipvlan',
  'macvlan',
  'netkit',
  'bond',
  'vrf',
  'dummy',
  'loopback',
  'physical',
  'unknown',
] as const;

export const device = z.strictObject({
  name: z.string().optional(),
  name_unknown: z.enum(['no_device', 'stale']).optional().describe('Why there is no name'),
  ifindex: uint32.optional(),
  role: z.enum(DEVICE_ROLES),
  kind: z.string().optional().describe('Kind of link (ip -d link), e.g. veth; absent for hardware'),
  netns: netns.optional(),
  master: z.string().optional().describe('Bridge, bond or VRF that the device belongs to'),
  current_name: z.string().optional().describe('Its name now, where it was renamed since'),
  peer_ifindex: uint32.optional().describe('The other end of a veth pair'),
  peer_netns: netns.optional(),
  peer_name: z.string().optional(),
});

const podName = {
  namespace: z.string().optional(),
  name: z.string().optional(),
  uid: z.string().optional(),
};
export const workload = z.strictObject({ kind: z.string(), name: z.string() });

export const pod = z.strictObject({
  ...podName,
  ip: z.string().optional().describe('Its address in this packet, else its first one of this family'),
  workload: workload.optional().describe('What it belongs to: Deployment, StatefulSet, DaemonSet, Job, ...'),
  container: z.string().optional().describe('Where it has only one'),
  labels: z.record(z.string(), z.string()).optional().describe('With --labels'),
  direction: z.enum(['from_pod', 'to_pod']).optional().describe('Absent where addresses are not known'),
  source: podSource,
  conflict: z
    .strictObject({
      kind: z.enum(['address', 'device']),
      ...podName,
      device: z.string().optional(),
      source: podSource.optional(),
    })
    .optional()
    .describe(
      'The packet says something else: a forged or an old address. address: its source is that of another pod; device: it came in on a device that is not the pod’s',
    ),
});

export const peer = z.strictObject({
  ip: z.string(),
  kind: z
    .enum(['pod', 'service', 'node', 'cilium_host', 'external'])
    .describe('cilium_host: Cilium’s own address on a node; external: not in the cluster'),
  namespace: z.string().optional(),
  name: z.string().optional(),
  workload: workload.optional(),
});

export const cilium = z.strictObject({
  endpoint_id: uint32.optional(),
  identity: uint32.optional(),
  host_device: z
    .strictObject({ name: z.string(), ifindex: uint32.optional(), ip: z.string().optional() })
    .optional()
    .describe('Cilium’s own device on this node, through which the route to its pods goes'),
  routing_mode: z.string().optional().describe('tunnel or native'),
});

export const rpfMode = z.strictObject({
  all: int32.describe('net.ipv4.conf.all.rp_filter'),
  device: int32.describe('net.ipv4.conf.DEVICE.rp_filter'),
  effective: int32.describe('The greater of both: any value but 0 makes the check binding'),
  decided_by: z.enum(['all', 'device', 'both']),
  unnumbered: z.boolean().describe('The device has no IPv4 address: loose mode refuses like strict'),
  accept_local: z.boolean(),
  src_valid_mark: z.boolean(),
  route_localnet: z.boolean(),
  forwarding: z.boolean().describe('net.ipv4.conf.DEVICE.forwarding'),
});

export const VERDICTS = [
  'strict_mismatch',
  'unnumbered_mismatch',
  'no_reverse_route',
  'local_source',
  'invalid_source',
  'loopback_source',
  'arp_refused',
  'netfilter_rpfilter',
  'not_rpf',
] as const;

/** Who sets settings from files. cilium: the file of settings that Cilium brings along. */
export const PERSISTED_BY = ['sysctl', 'tuned', 'networkd', 'networkmanager', 'cilium'] as const;

export const CONFIDENCES = ['certain', 'likely', 'possible'] as const;

/** How a lookup ended that found no way back. */
export const LOOKUPS = ['none', 'unreachable', 'prohibit', 'blackhole', 'rule'] as const;

/** RTN_* of include/uapi/linux/rtnetlink.h, those that a lookup can find. */
export const ROUTE_TYPES = ['unspecified', 'unicast', 'local', 'broadcast', 'anycast', 'multicast'] as const;

export const reverseRoute = z.strictObject({
  lookup: z.enum(LOOKUPS).optional().describe('Instead of a route: how the lookup ended'),
  device: z.string().optional().describe('Of the first next hop'),
  ifindex: uint32.optional(),
  hops: z.array(uint32).optional().describe('ifindex of each next hop, where they are several'),
  table: uint32.optional(),
  prefix: z.string().optional(),
  gateway: z.string().optional(),
  type: z.enum(ROUTE_TYPES).optional(),
  nexthop_id: uint32.optional(),
  evidence: z
    .enum(['kernel', 'replay'])
    .describe(
      'kernel: the kernel’s own lookup was seen; replay: asked for in the drop’s network namespace, just after it',
    ),
  certain: z.boolean().describe('Whether the kernel cannot have found another one'),
  uncertain: z.string().optional().describe('Why not'),
  asked: z
    .string()
    .optional()
    .describe('With kernel: what it answered when it was asked just after, where that was something else'),
});

/** A line of a file that will set a setting again. */
export const persisted = z.strictObject({
  file: z.string(),
  line: uint32,
  key: z.string().describe('As written there; it may be a pattern'),
  value: z.string(),
  by: z.enum(PERSISTED_BY).describe('Who reads the file'),
});

export const filterRule = z.strictObject({
  kind: z.enum(['nft', 'iptables_nft', 'iptables_legacy']).describe('Whose words it is in'),
  family: z.enum(['ip', 'ip6', 'inet', 'netdev']).describe('Of its table'),
  table: z.string(),
  chain: z.string(),
  hook: z.enum(['ingress', 'prerouting', 'input', 'forward']),
  handle: z.int().positive().optional().describe('nftables’ number for it'),
  number: count.optional().describe('In its chain, from 1'),
  check: z.enum(['strict', 'loose']),
  text: z.string().describe('In the words of nft or iptables; ... is what is not understood here'),
  comment: z.string().optional(),
  packets: count.optional().describe('That matched it, where they are counted'),
});

export const rpf = z.strictObject({
  verdict: z.enum(VERDICTS).optional().describe('The branch of the kernel: docs/reasons.md'),
  verdict_unknown: z.string().optional(),
  confidence: z.enum(CONFIDENCES).optional().describe('With netfilter_rpfilter'),
  confidence_why: z.string().optional().describe('Why it is not certain'),
  from: z
    .enum(['hook', 'state'])
    .optional()
    .describe('The kernel gives no reason: a hook saw it refuse the source, or settings and routes prove it'),
  contradiction: z.string().optional().describe('What is found now says otherwise than the kernel did then'),
  mode: rpfMode.optional().describe('IPv4 only'),
  rule: filterRule.optional().describe('With netfilter_rpfilter: the rule that checks the reverse path'),
  reverse_route: reverseRoute.optional().describe('Where a packet to the source would go'),
  reverse_route_unknown: z.string().optional(),
  explanation: z.string().optional(),
  fix: z
    .array(z.string())
    .optional()
    .describe('Commands of which each alone ends this drop, the least invasive first'),
  fix_unknown: z.string().optional(),
  fix_where: z.string().optional().describe('Where to run them, if not here'),
  persisted: z
    .array(persisted)
    .optional()
    .describe('Lines of files that will undo the first fix, in the order in which they are applied'),
  persisted_unknown: z.string().optional().describe('Files that may do so and cannot be read, and why'),
});

export const dropEvent = z.strictObject({
  v: version,
  kind: z.literal('drop'),
  time: time.describe('The drop; of several the last'),
  first_time: time.optional().describe('The first of several drops'),
  node,
  count: count.min(1).describe('Drops that this event stands for'),
  aggregate: z
    .enum(['flow', 'device'])
    .optional()
    .describe('Counted in the kernel. flow: drops of one flow; device: the flow table was full'),
  reason: z
    .string()
    .optional()
    .describe('enum skb_drop_reason of the running kernel, or SUBSYS_n_m, or REASON_n'),
  reason_unknown: z.string().optional(),
  location: z.string().optional().describe('Where in the kernel: symbol+0xoffset, or an address'),
  hook: z.string().describe('What saw it, as start.hooks names it'),
  skb: kernelAddress.optional().describe('Address of the struct sk_buff'),
  packet: packet.optional(),
  packet_unknown: z.string().optional(),
  device,
  pod: pod.optional().describe('The pod that lost the packet'),
  pod_unknown: z.string().optional().describe('Why there is no pod, where the packet is one’s'),
  peer: peer.optional().describe('The other end, where it is known'),
  cilium: cilium.optional(),
  rpf: rpf.optional().describe('The check of sources'),
  incident: z.string().optional().describe('The incident that this drop belongs to'),
  current_task: z
    .strictObject({
      comm: z.string(),
      pid: uint32,
      cgroup_id: z.string().regex(/^\d+$/),
      related: z.literal('maybe'),
    })
    .optional()
    .describe('Who ran on the CPU: in softirq any task at all'),
  packet_bytes: z.base64().optional().describe('With --snaplen'),
  packet_bytes_from: z
    .enum(['mac', 'network'])
    .optional()
    .describe('The header that packet_bytes starts with'),
  packet_bytes_cut: z
    .literal('nonlinear')
    .optional()
    .describe('There are fewer packet_bytes than asked for, because the rest is not linear'),
  event_id: eventId,
});

export const lostEvent = z.strictObject({
  v: version,
  kind: z.literal('lost'),
  time,
  node,
  where: z
    .enum(['ring', 'recursion', 'sysctl', 'reader'])
    .describe(
      'ring: the reader was too slow; recursion: a drop inside the tracer; sysctl: writes to settings; reader: this reader of a server was too slow, or came back too late',
    ),
  count: count.describe(
    'Drops; with sysctl: writes whose record did not fit into the ring; with reader: events, before its filters',
  ),
  count_unknown: z.string().optional().describe('Why there may be more of them'),
  drops: count.optional().describe('With reader: drops that these events told of, where that is known'),
  reason: z.string().optional(),
  netns: netns.optional(),
  event_id: eventId,
});

const settingName = z.string().describe('As sysctl(8) takes it, e.g. net.ipv4.conf.all.rp_filter');

export const writer = z.strictObject({
  pid: uint32.describe('In the initial PID namespace'),
  comm: z.string(),
  exe: z.string().optional().describe('The program’s file'),
  exe_from: z
    .enum(['proc', 'record'])
    .optional()
    .describe('record: read in the kernel, from the root of its file system, since the process was gone'),
  exe_cut: z.literal(true).optional().describe('The path is longer at its start'),
  cmdline: z.array(z.string()).optional(),
  cmdline_cut: z.literal(true).optional().describe('The command line is longer'),
  parents: z.array(z.strictObject({ pid: uint32, comm: z.string() })).describe('The parent first; at most 6'),
  uid: uint32.describe('In the initial user namespace'),
  cgroup: z.string().optional(),
  cgroup_unknown: z.string().optional(),
  systemd_unit: z.string().optional(),
  container_id: z.string().optional(),
  netns: netns.describe('Network namespace of the writer: whose settings it writes'),
});

/** What tells one change from another; the rest of a sysctl_change is how it is known and what it did. */
const changed = {
  name: settingName,
  device: z.string().describe('all, default, or a device'),
  setting: z.string().describe('rp_filter, accept_local, ...'),
  netns,
  old: z.string().optional(),
  old_unknown: z.string().optional(),
  new: z.string(),
  seen_by: z
    .enum(['cgroup_sysctl', 'netconf', 'reconcile'])
    .describe(
      'cgroup_sysctl: the write itself; netconf: the kernel told of another value; reconcile: it was another one when it was read again',
    ),
  not_before: time
    .optional()
    .describe('Without a write that was seen: when it was read last and had the old value'),
};
const whoWrote = {
  writer: writer.optional(),
  writer_unknown: z.string().optional(),
};

export const sysctlChangeEvent = z.strictObject({
  v: version,
  kind: z.literal('sysctl_change'),
  time: time.describe('The write, before the kernel looked at the value; else when the change was found'),
  node,
  ...changed,
  outcome: z
    .enum(['changed', 'unchanged', 'rejected', 'partial', 'unconfirmed'])
    .describe(
      'unchanged: it had this value already; rejected: the kernel refused it; partial: the rest of a value written in pieces, which the kernel passes over; unconfirmed: nobody can say',
    ),
  confirmed_by: z
    .enum(['read_back', 'next_write'])
    .optional()
    .describe('next_write: the next write found what this one left'),
  confirmed_unknown: z.string().optional(),
  effective: z
    .boolean()
    .optional()
    .describe('Whether what the kernel makes of all and device became another value for any device'),
  effective_unknown: z.string().optional(),
  devices: z
    .array(z.strictObject({ device: z.string(), old: int32.optional(), new: int32 }))
    .optional()
    .describe('Devices with another effective value; at most 16'),
  devices_count: count.optional().describe('How many there are'),
  ...whoWrote,
  event_id: eventId,
});

const causingChange = z.strictObject({ time, ...changed, ...whoWrote });

const hint = z.strictObject({
  kind: z.enum(['file_written', 'unit_started', 'process_started']).describe('The last time, each'),
  name: z.string().describe('File and line that set the value; a unit or a process that reads such files'),
  time: time.describe('Of the wall clock'),
});

const routeChange = z.strictObject({
  time: time.describe('When the kernel told of it, just after'),
  what: z.enum(['route', 'rule', 'address', 'link', 'nexthop', 'many', 'missed']),
  action: z.enum(['added', 'replaced', 'deleted', 'up', 'down', 'changed']).optional(),
  text: z.string().describe('What it was done to, in the words of ip(8)'),
  netns,
  count: count.optional().describe('With many: how many changes'),
  table: uint32.optional(),
  prefix: z.string().optional().describe('Of a route, a rule or an address'),
  gateway: z.string().optional(),
  device: z.string().optional(),
  type: z.string().optional().describe('Of a route: unicast, local, blackhole, ...'),
  nexthop_id: uint32.optional(),
  port_id: uint32.optional().describe('Of the netlink socket that asked for it'),
  ...whoWrote,
  writer_by: z
    .enum(['socket', 'port_id'])
    .optional()
    .describe(
      'socket: the process has that socket; port_id: it has or had its number, which mostly is the same',
    ),
});

export const incidentEvent = z.strictObject({
  v: version,
  kind: z.literal('incident'),
  time,
  node,
  id: z.string().regex(/^i-\d+$/),
  state: z.enum(['open', 'update', 'closed']),
  netns,
  cause: z.strictObject({
    kind: z.enum(['sysctl_change', 'route_change', 'unknown']),
    change: causingChange.optional().describe('The change that made the check binding'),
    also: z
      .array(causingChange)
      .optional()
      .describe('Other changes within a second of it to values that refuse; at most 4'),
    route: routeChange.optional().describe('The change that moved the way back'),
    came_with: routeChange.optional().describe('The route that came or went with it'),
    certain: z
      .boolean()
      .optional()
      .describe('With route: without it the kernel would have let the source in'),
    uncertain: z.string().optional().describe('Why that is not proven'),
    why: z.string().optional().describe('Why the cause is not known'),
    hints: z
      .array(hint)
      .optional()
      .describe('With why: what may have to do with it, or not. For the tracer’s own network namespace'),
  }),
  first_drop: time.describe('The first that was traced'),
  last_drop: time,
  seconds_to_first_drop: z.number().optional().describe('From the change on'),
  drops: count.min(1),
  devices: z.array(z.string()).describe('At most 16'),
  devices_count: count,
  pods: z.array(z.string()).optional().describe('Pods that lost packets, "namespace/name"; at most 16'),
  pods_count: count.optional().describe('At least; counted up to 256'),
  sources: z.array(z.string()).describe('Source addresses; at most 16'),
  sources_count: count.describe('At least; counted up to 256'),
  reasons: z.array(z.string()),
  closed_by: z
    .strictObject({
      kind: z
        .enum(['sysctl_change', 'route_change', 'drops_stopped', 'namespace_gone', 'crowded_out'])
        .describe('crowded_out: there are too many incidents at a time'),
      change: causingChange.optional(),
      route: routeChange
        .optional()
        .describe('The last change of the way back: with it the kernel lets the sources in'),
      seconds: z.number().optional().describe('Without a drop'),
    })
    .optional(),
  summary: z.string().describe('One sentence for people'),
  fix: z
    .array(z.string())
    .describe('Commands that end the drops, all of them needed; tried on the model of the kernel'),
  fix_unknown: z.string().optional().describe('Why there is none, as long as it is open'),
  fix_where: z.string().optional().describe('Where to run them, if not here'),
  persisted: z
    .array(
      persisted.extend({
        at_boot: z.boolean().describe('false: only when the writer’s command runs again'),
        read_by_writer: z.literal(true).optional().describe('The writer took the value from this line'),
      }),
    )
    .optional()
    .describe(
      'Lines of files that will undo the fix, or what ended it, in the order in which they are applied',
    ),
  persisted_unknown: z.string().optional().describe('Files that may do so and cannot be read, and why'),
  event_id: eventId,
});

const totals = { seen: count, matched: count, lost: count };

export const stopEvent = z.strictObject({
  v: version,
  kind: z.literal('stop'),
  time,
  node,
  why: z.enum(['signal', 'duration', 'count', 'aborted', 'closed', 'error']),
  signal: z.string().optional(),
  error: z.string().optional(),
  elapsed_ms: z.number().nonnegative(),
  totals: z.strictObject({
    seen: count.describe('Drops that the kernel made, filters or not'),
    matched: count.describe('Of these, drops that passed the filters'),
    emitted: count.describe('Sum of count over all drop events'),
    events: count.describe('Drop events'),
    lost: count.describe('Drops whose record did not fit into the ring'),
    recursion: count.describe('Drops inside of the tracer itself, seen by nobody'),
    discarded: count.describe('Drops that came after the last one asked for (--count)'),
    malformed: count.describe('Records that could not be read'),
  }),
  reasons: z.array(z.strictObject({ reason: z.string(), ...totals })),
  namespaces: z.array(z.strictObject({ netns, ...totals })),
  conservation: z
    .strictObject({ holds: z.boolean(), difference: z.int() })
    .describe('matched = emitted + lost + discarded'),
  reconciled: z
    .boolean()
    .nullable()
    .describe('Conservation holds and each namespace agrees with the kernel; null: could not be checked'),
  reconciled_unknown: z.string().optional(),
  netns: z
    .array(
      z.strictObject({
        netns,
        kernel: count.optional().describe('TcpExt IPReversePathFilter, from attach to detach'),
        traced: count.describe('IP_RPFILTER drops seen'),
        difference: z.int().optional().describe('traced minus kernel; 0 where it lies within window'),
        window: count.optional().describe('Of kernel, drops during attach and detach themselves'),
        reconciled: z.boolean().nullable(),
        why: z.string().optional(),
      }),
    )
    .describe('Every namespace with reverse-path drops'),
  sources: z.array(podSourceState).describe('Where pods were known from, at the end'),
  event_id: eventId,
});

export const event = z.discriminatedUnion('kind', [
  startEvent,
  dropEvent,
  sysctlChangeEvent,
  incidentEvent,
  lostEvent,
  stopEvent,
]);

export type StartEvent = z.infer<typeof startEvent>;
export type DropEvent = z.infer<typeof dropEvent>;
export type SysctlChangeEvent = z.infer<typeof sysctlChangeEvent>;
export type Writer = z.infer<typeof writer>;
export type CausingChange = z.infer<typeof causingChange>;
export type RouteChangeMember = z.infer<typeof routeChange>;
export type IncidentEvent = z.infer<typeof incidentEvent>;
export type LostEvent = z.infer<typeof lostEvent>;
export type StopEvent = z.infer<typeof stopEvent>;
export type TraceEvent = z.infer<typeof event>;
export type Packet = z.infer<typeof packet>;
export type PodMember = z.infer<typeof pod>;
export type Peer = z.infer<typeof peer>;
export type Cilium = z.infer<typeof cilium>;
export type Device = z.infer<typeof device>;
export type DeviceRole = (typeof DEVICE_ROLES)[number];
export type VerdictName = (typeof VERDICTS)[number];
export type Confidence = (typeof CONFIDENCES)[number];
export type FilterRule = z.infer<typeof filterRule>;
export type Lookup = (typeof LOOKUPS)[number];
export type RouteType = (typeof ROUTE_TYPES)[number];
export type Hint = z.infer<typeof hint>;
export type Persisted = z.infer<typeof persisted>;
export type Rpf = z.infer<typeof rpf>;
export type RpfMode = z.infer<typeof rpfMode>;

/** The JSON Schema of one line of NDJSON, draft 2020-12. */
export function jsonSchema(): object {
  return z.toJSONSchema(event, { target: 'draft-2020-12' });
}
