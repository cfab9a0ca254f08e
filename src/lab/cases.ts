import type { Confidence, DropEvent, FilterRule, Lookup, Packet, RpfMode, VerdictName } from '../events.js';
import type { LabPacket } from './packet.js';
import type { Requirement } from './requirements.js';
import {
  address,
  iptablesChain,
  iptablesRule,
  JUMBO_FRAMES,
  NO_DEFAULT_ROUTE,
  NO_FORWARDING,
  nftRule,
  nftTable,
  route,
  rpFilter,
  type Step,
  sysctl,
  TC_DROPS_ALL,
} from './steps.js';
import { ADDRESS, ADDRESS6, type Place } from './topology.js';

/*
 * Everything that the lab can provoke, as data: `rpftrace lab drop`, `rpftrace lab run` and the kernel tests all read this
 * list. What a case expects was seen on Linux 6.18; a second name stands where older kernels give another.
 */

/** Drops of one kind that the kernel must report. */
export interface ExpectedDrop {
  /** Drop reasons: any of these. */
  readonly reasons: readonly string[];
  readonly in: Place;
  readonly device: string;
  /** What the event must say of the packet, among other things. */
  readonly packet: Partial<Packet>;
  /** What the event must say of rp_filter, among other things. */
  readonly mode?: Partial<RpfMode>;
  /** What the event must say of the rule that checked the reverse path, among other things. */
  readonly rule?: Partial<FilterRule>;
  /** Drops for each packet sent; default 1. */
  readonly perPacket?: number;
  /** What sees it beside the tracepoint, as the start event names it: where that is not, nothing comes. */
  readonly hook?: string;
  /** Why the source was refused, where it was: the kernel's own branch, whatever reason it gives. */
  readonly refusal?: Refusal;
}

export interface Refusal {
  readonly verdict: VerdictName;
  /** How looking up the route back to the source failed, where it did. */
  readonly lookup?: Lookup;
  /** How sure it has to be, where a rule of netfilter refused it. */
  readonly confidence?: Confidence;
  /** So many sources that a slow machine says of some that it did not look. */
  readonly many?: true;
}

/** A drop event with the place of the lab that it happened in. */
export interface LabDrop {
  readonly place: Place;
  readonly event: DropEvent;
}

export interface LabCase {
  readonly name: string;
  /** What happens and why, in a sentence. */
  readonly about: string;
  readonly requires?: readonly Requirement[];
  readonly setup: readonly Step[];
  readonly provoke: LabPacket;
  /** Where UDP that gets through is taken; all of it must come. */
  readonly receive?: Place;
  /** Nothing else may be dropped, but for what `tolerate` says. Empty: nothing at all. */
  readonly expect: readonly ExpectedDrop[];
  /** What some kernels report as dropped besides, in any number. */
  readonly tolerate?: readonly ExpectedDrop[];
  /** By how much IPReversePathFilter of the node rises for each packet sent; default 0. */
  readonly reversePathFilter?: number;
  /** By how much the machine's in_martian_src rises at least, for each packet sent; default 0. */
  readonly martians?: number;
}

const PORT = 9;
const SRC_PORT = 40_000;

const fromPod = { from: 'pod', src: ADDRESS.pod, dst: ADDRESS.world } as const;
const fromPod6 = { from: 'pod', src: ADDRESS6.pod, dst: ADDRESS6.world } as const;

const podUdp: LabPacket = { ...fromPod, kind: 'udp' };
const podUdp6: LabPacket = { ...fromPod6, kind: 'udp' };

const udp = { family: 'ipv4', protocol: 'udp', ttl: 64, src_port: SRC_PORT, dst_port: PORT } as const;
const podUdpSeen: Partial<Packet> = { ...udp, src: ADDRESS.pod, dst: ADDRESS.world, length: 46, mark: 0 };
const podUdp6Seen: Partial<Packet> = {
  ...udp,
  family: 'ipv6',
  src: ADDRESS6.pod,
  dst: ADDRESS6.world,
  length: 66,
};

const STRICT_BY_ALL = { all: 1, device: 0, effective: 1, decided_by: 'all', unnumbered: true } as const;

const LOCAL_SOURCE = ['IP_LOCAL_SOURCE', 'NOT_SPECIFIED']; // the first since v6.13, as the next two
const INVALID_SOURCE = ['IP_INVALID_SOURCE', 'NOT_SPECIFIED'];
const TC_INGRESS = ['TC_INGRESS', 'NOT_SPECIFIED']; // a reason since v5.18
const LOCALNET = ['IP_LOCALNET', 'NOT_SPECIFIED'];

const UNNUMBERED_MISMATCH: Refusal = { verdict: 'unnumbered_mismatch' };
const STRICT_MISMATCH: Refusal = { verdict: 'strict_mismatch' };

/** What the node refuses on the pod's device because of rp_filter. */
function refused(
  packet: Partial<Packet>,
  mode: Partial<RpfMode> = STRICT_BY_ALL,
  refusal: Refusal = UNNUMBERED_MISMATCH,
): ExpectedDrop {
  return { reasons: ['IP_RPFILTER'], in: 'node', device: 'lxcabcd', packet, mode, refusal };
}

/** The usual case: a packet from the pod, refused because of rp_filter. */
function refusal(
  name: string,
  about: string,
  {
    requires = [],
    setup = [rpFilter(1)],
    provoke = podUdp,
    packet = podUdpSeen,
    mode,
    refusal,
  }: RefusalOptions = {},
): LabCase {
  return {
    name,
    about,
    requires,
    setup,
    provoke,
    expect: [refused(packet, mode, refusal)],
    reversePathFilter: 1,
    martians: 1,
  };
}

interface RefusalOptions {
  readonly requires?: readonly Requirement[];
  readonly setup?: readonly Step[];
  readonly provoke?: LabPacket;
  readonly packet?: Partial<Packet>;
  readonly mode?: Partial<RpfMode>;
  readonly refusal?: Refusal;
}

/** A source that the kernel takes from nobody, whatever rp_filter says. */
function badSource(
  name: string,
  about: string,
  src: string,
  reasons: readonly string[],
  verdict: VerdictName,
): LabCase {
  const packet = { ...podUdpSeen, src };
  return {
    name,
    about,
    setup: [],
    provoke: { ...podUdp, src },
    expect: [{ reasons, in: 'node', device: 'lxcabcd', packet, refusal: { verdict } }],
    martians: 1,
  };
}

/** Dropped on the pod's device for a reason that has nothing to do with the source. */
function otherDrop(
  name: string,
  about: string,
  reasons: readonly string[],
  { requires = [], setup = [], provoke = podUdp, packet = podUdpSeen, tolerate = [] }: OtherDropOptions,
): LabCase {
  return {
    name,
    about,
    requires,
    setup,
    provoke,
    expect: [{ reasons, in: 'node', device: 'lxcabcd', packet }],
    tolerate,
  };
}

interface OtherDropOptions extends RefusalOptions {
  readonly tolerate?: readonly ExpectedDrop[];
}

/** Up to v6.1 the kernel frees an ICMPv6 error that it has taken in as if it had dropped it: icmpv6_rcv(), net/ipv6/icmp.c. */
const ICMPV6_ERRORS: readonly ExpectedDrop[] = [
  {
    reasons: ['NOT_SPECIFIED'],
    in: 'pod',
    device: 'eth0',
    packet: { protocol: 'icmpv6', dst: ADDRESS6.pod },
  },
];

function passing(name: string, about: string, provoke: LabPacket, receive: Place, ...setup: Step[]): LabCase {
  return { name, about, setup, provoke, receive, expect: [] };
}

const reversePath: readonly LabCase[] = [
  refusal('strict', 'all.rp_filter=1: the route back to the pod leaves by cilium_host, not by lxcabcd'),
  refusal('strict-tcp', 'the same with the SYN of a TCP connection', {
    provoke: { ...fromPod, kind: 'tcp', dstPort: 443 },
    packet: {
      protocol: 'tcp',
      src: ADDRESS.pod,
      src_port: SRC_PORT,
      dst: ADDRESS.world,
      dst_port: 443,
      tcp_flags: 'S',
      length: 40,
    },
  }),
  refusal('strict-icmp', 'the same with a ping', {
    provoke: { ...fromPod, kind: 'icmp' },
    packet: {
      protocol: 'icmp',
      src: ADDRESS.pod,
      dst: ADDRESS.world,
      icmp_type: 8,
      icmp_code: 0,
      length: 46,
    },
  }),
  refusal('strict-to-node', 'the same, to the node itself', {
    provoke: { ...podUdp, dst: ADDRESS.node },
    packet: { ...podUdpSeen, dst: ADDRESS.node },
  }),
  refusal('strict-device', 'all.rp_filter=0 does not help where the device itself is strict', {
    setup: [rpFilter(0, { lxcabcd: 1 })],
    mode: { all: 0, device: 1, effective: 1, decided_by: 'device', unnumbered: true },
  }),
  refusal(
    'strict-numbered',
    'strict mode on a device that has an address: the route back leaves by another',
    {
      setup: [rpFilter(1), address('169.254.7.7/32', 'lxcabcd')],
      mode: { ...STRICT_BY_ALL, unnumbered: false },
      refusal: STRICT_MISMATCH,
    },
  ),
  refusal('loose-unnumbered', 'loose mode refuses like strict mode where the device has no IPv4 address', {
    setup: [rpFilter(0, { lxcabcd: 2 })],
    mode: { all: 0, device: 2, effective: 2, decided_by: 'device', unnumbered: true },
  }),
  passing(
    'loose-numbered',
    'loose mode on a device that has an address: any route back will do',
    podUdp,
    'world',
    rpFilter(0, { lxcabcd: 2 }),
    address('169.254.7.7/32', 'lxcabcd'),
  ),
  passing('off', 'rp_filter=0: nothing is refused', podUdp, 'world'),
  {
    name: 'no-route',
    about: 'loose mode without any route back to the source',
    setup: [rpFilter(0, { eth0: 2 }), NO_DEFAULT_ROUTE],
    provoke: { from: 'world', kind: 'udp', src: ADDRESS.world, dst: ADDRESS.node },
    expect: [
      {
        ...refused(
          { ...udp, src: ADDRESS.world, dst: ADDRESS.node },
          { all: 0, device: 2, effective: 2, decided_by: 'device', unnumbered: false },
          { verdict: 'no_reverse_route', lookup: 'none' },
        ),
        device: 'eth0',
      },
    ],
    reversePathFilter: 1,
    martians: 1,
  },
  ...(['unreachable', 'blackhole', 'prohibit'] as const).map((type) =>
    refusal(type, `the route back to the pod is of type ${type}`, {
      setup: [rpFilter(1), route(`${type} ${ADDRESS.pod}`)],
      refusal: { verdict: 'no_reverse_route', lookup: type },
    }),
  ),
  {
    name: 'spoofed-pod',
    about:
      'the world pretends to be the pod: its packets come in on eth0, the route back leaves by cilium_host',
    setup: [rpFilter(1)],
    provoke: { from: 'world', kind: 'udp', src: ADDRESS.pod, dst: ADDRESS.node },
    expect: [
      {
        ...refused(
          { ...udp, src: ADDRESS.pod, dst: ADDRESS.node },
          { ...STRICT_BY_ALL, unnumbered: false },
          STRICT_MISMATCH,
        ),
        device: 'eth0',
      },
    ],
    reversePathFilter: 1,
    martians: 1,
  },
  refusal('spoofed-source', 'the pod sends from addresses that are not its own', {
    provoke: { ...podUdp, src: '198.51.100.1', flows: 200, spread: 'address' },
    packet: { ...udp, dst: ADDRESS.world },
    refusal: { ...UNNUMBERED_MISMATCH, many: true },
  }),
  refusal('broadcast-destination', 'to everybody: the route back is looked up for these too', {
    provoke: { ...podUdp, dst: '255.255.255.255' },
    packet: { ...podUdpSeen, dst: '255.255.255.255' },
  }),
  {
    name: 'reply-path',
    about: 'the node connects to the pod, as the kubelet does to probe it: the pod’s answer is refused',
    setup: [rpFilter(1)],
    provoke: {
      from: 'node',
      device: 'cilium_host',
      kind: 'tcp',
      src: ADDRESS.ciliumHost,
      dst: ADDRESS.pod,
      dstPort: 8080,
    },
    expect: [
      refused({
        protocol: 'tcp',
        src: ADDRESS.pod,
        src_port: 8080,
        dst: ADDRESS.ciliumHost,
        dst_port: SRC_PORT,
        tcp_flags: 'RA',
      }),
      {
        reasons: ['NO_SOCKET'],
        in: 'pod',
        device: 'eth0',
        packet: {
          protocol: 'tcp',
          src: ADDRESS.ciliumHost,
          dst: ADDRESS.pod,
          dst_port: 8080,
          tcp_flags: 'S',
        },
      },
    ],
    reversePathFilter: 1,
    martians: 1,
  },
  {
    name: 'reply-path-icmp',
    about: 'the node pings the pod: the pod’s answer is refused',
    setup: [rpFilter(1)],
    provoke: {
      from: 'node',
      device: 'cilium_host',
      kind: 'icmp',
      src: ADDRESS.ciliumHost,
      dst: ADDRESS.pod,
    },
    expect: [refused({ protocol: 'icmp', src: ADDRESS.pod, dst: ADDRESS.ciliumHost, icmp_type: 0 })],
    reversePathFilter: 1,
    martians: 1,
  },
  passing(
    'pod-to-pod',
    'strict mode, and yet the pods reach each other: their packets never come to the node’s routing',
    { ...podUdp, dst: ADDRESS.pod2 },
    'pod2',
    rpFilter(1),
  ),
  {
    name: 'arp-refused',
    about: 'an ARP request stays without an answer; the kernel drops nothing, and only in_martian_src rises',
    setup: [rpFilter(1)],
    provoke: { from: 'pod', kind: 'arp', src: ADDRESS.pod, dst: ADDRESS.ciliumHost },
    expect: [
      {
        ...refused({ family: 'ipv4', protocol: 'arp', src: ADDRESS.pod, dst: ADDRESS.ciliumHost, mark: 0 }),
        reasons: ['ARP_REFUSED'],
        hook: 'ip_handle_martian_source',
        refusal: { verdict: 'arp_refused' },
      },
    ],
    martians: 1,
  },
];

const badSources: readonly LabCase[] = [
  badSource(
    'local-source',
    'the pod sends from the node’s own address',
    ADDRESS.node,
    LOCAL_SOURCE,
    'local_source',
  ),
  refusal('accept-local', 'accept_local=1 lets the node’s own address through to rp_filter', {
    setup: [rpFilter(1), sysctl({ 'conf/all/accept_local': 1 })],
    provoke: { ...podUdp, src: ADDRESS.node },
    packet: { ...podUdpSeen, src: ADDRESS.node },
    mode: { ...STRICT_BY_ALL, accept_local: true },
  }),
  badSource(
    'broadcast-source',
    'from the broadcast address of the uplink’s network',
    '192.0.2.255',
    INVALID_SOURCE,
    'invalid_source',
  ),
  badSource('multicast-source', 'from a multicast address', '224.0.0.1', INVALID_SOURCE, 'invalid_source'),
  badSource('zero-source', 'from 0.0.0.0', '0.0.0.0', INVALID_SOURCE, 'invalid_source'),
  badSource('loopback-source', 'from 127.0.0.1', '127.0.0.1', LOCALNET, 'loopback_source'),
  {
    name: 'mark',
    about:
      'src_valid_mark=1 takes the mark of Cilium’s proxy into the lookup: table 2004 says that all is local',
    requires: ['nft'],
    setup: [
      sysctl({ 'conf/all/src_valid_mark': 1 }),
      nftRule('ip', 'prerouting priority raw', 'iifname lxcabcd meta mark set 0x200'),
    ],
    provoke: podUdp,
    expect: [
      {
        reasons: LOCAL_SOURCE,
        in: 'node',
        device: 'lxcabcd',
        packet: { ...podUdpSeen, mark: 0x200 },
        mode: { all: 0, device: 0, effective: 0, src_valid_mark: true },
        refusal: { verdict: 'local_source' },
      },
    ],
    martians: 1,
  },
];

const shapes: readonly LabCase[] = [
  refusal('gso', 'one super-packet stands for four UDP packets', {
    requires: ['udp-gso'],
    provoke: { ...podUdp, length: 4000, gso: 1000 },
    packet: { ...podUdpSeen, length: 4028, gso_segs: 4, gso_size: 1000 },
  }),
  refusal('gso-tcp', 'one super-packet stands for four TCP segments', {
    provoke: { ...fromPod, kind: 'tcp', length: 4000, gso: 1000 },
    packet: { protocol: 'tcp', src: ADDRESS.pod, dst_port: PORT, length: 4040, gso_segs: 4, gso_size: 1000 },
  }),
  {
    name: 'fragments',
    about: 'a packet in three fragments is refused three times; only the first has ports',
    setup: [rpFilter(1)],
    provoke: { ...podUdp, length: 2000, fragment: 800 },
    expect: [
      refused({ ...podUdpSeen, length: 820, fragment_offset: 0 }),
      // One flow: without ports the second and the third cannot be told apart.
      { ...refused({ protocol: 'udp', src: ADDRESS.pod, transport_unknown: 'fragment' }), perPacket: 2 },
    ],
    reversePathFilter: 3,
    martians: 3,
  },
  refusal('short-transport', 'the packet ends in the middle of its ports', {
    provoke: { ...podUdp, shorten: 3 },
    packet: { protocol: 'udp', src: ADDRESS.pod, dst: ADDRESS.world, length: 23, transport_unknown: 'short' },
  }),
  refusal('nonlinear-transport', 'the ICMP header lies outside of the linear data', {
    setup: [rpFilter(1), ...JUMBO_FRAMES],
    provoke: { ...fromPod, kind: 'icmp', length: 6000, linear: 1 },
    packet: {
      protocol: 'icmp',
      src: ADDRESS.pod,
      dst: ADDRESS.world,
      length: 6028,
      transport_unknown: 'nonlinear',
      nonlinear: true,
    },
  }),
  otherDrop('nonlinear-headers', 'all headers lie outside of the linear data', TC_INGRESS, {
    requires: ['tc-bpf'],
    setup: [TC_DROPS_ALL, ...JUMBO_FRAMES],
    provoke: { ...podUdp, length: 6000, linear: 1 },
    packet: { headers_unknown: 'nonlinear', nonlinear: true, length: 6028 },
  }),
  otherDrop(
    'truncated',
    'the packet is shorter than its IP header says',
    ['PKT_TOO_SMALL', 'NOT_SPECIFIED'],
    {
      provoke: { ...podUdp, truncate: 30 },
      packet: { ...podUdpSeen, length: 30 },
    },
  ),
  otherDrop('truncated-ip', 'the packet ends in the middle of its IP header', ['IP_INHDR', 'NOT_SPECIFIED'], {
    provoke: { ...podUdp, truncate: 10 },
    packet: { headers_unknown: 'short', length: 10 },
  }),
  otherDrop('malformed-ip', 'the IP header says that it has 12 bytes', ['IP_INHDR', 'NOT_SPECIFIED'], {
    provoke: { ...podUdp, headerLength: 3 },
    packet: { headers_unknown: 'malformed', length: 46 },
  }),
  otherDrop('vlan', 'a packet with a VLAN tag, dropped before the tag is looked at', TC_INGRESS, {
    requires: ['tc-bpf'],
    setup: [TC_DROPS_ALL],
    provoke: { ...podUdp, vlan: 100 },
    packet: { ...podUdpSeen, vlan_id: 100 },
  }),
  {
    name: 'vlan-device',
    about: 'strict mode on a VLAN device',
    requires: ['vlan-device'],
    setup: [
      {
        in: 'node',
        run: 'ip link add link lxcabcd name lxcabcd.100 type vlan id 100; ip link set lxcabcd.100 multicast off up',
        undo: 'ip link delete lxcabcd.100',
      },
      rpFilter(1),
    ],
    provoke: { ...podUdp, vlan: 100 },
    expect: [{ ...refused(podUdpSeen), device: 'lxcabcd.100' }],
    reversePathFilter: 1,
    martians: 1,
  },
];

const otherDrops: readonly LabCase[] = [
  otherDrop('no-socket', 'nobody listens on the node’s port', ['NO_SOCKET'], {
    provoke: { ...podUdp, dst: ADDRESS.node },
    packet: { ...podUdpSeen, dst: ADDRESS.node },
  }),
  {
    name: 'no-socket-tcp',
    about: 'nobody listens on the node’s port, and nobody waits for its RST in the pod',
    setup: [],
    provoke: { ...fromPod, kind: 'tcp', dst: ADDRESS.node },
    expect: [
      {
        reasons: ['NO_SOCKET'],
        in: 'node',
        device: 'lxcabcd',
        packet: { protocol: 'tcp', src: ADDRESS.pod, dst: ADDRESS.node, dst_port: PORT, tcp_flags: 'S' },
      },
      {
        reasons: ['NO_SOCKET'],
        in: 'pod',
        device: 'eth0',
        packet: { protocol: 'tcp', src: ADDRESS.node, src_port: PORT, dst: ADDRESS.pod, tcp_flags: 'RA' },
      },
    ],
  },
  otherDrop('no-forwarding', 'ip_forward=0 hides rp_filter', ['IP_INADDRERRORS', 'NOT_SPECIFIED'], {
    setup: [rpFilter(1), NO_FORWARDING],
  }),
  otherDrop('nft-drop', 'a rule of nftables drops what is forwarded', ['NETFILTER_DROP'], {
    requires: ['nft'],
    setup: [nftRule('ip', 'forward priority 0', 'drop')],
    packet: { ...podUdpSeen, ttl: 63 },
  }),
  otherDrop('iptables-drop', 'a rule of iptables drops what is forwarded', ['NETFILTER_DROP'], {
    requires: ['iptables'],
    setup: [iptablesRule('iptables', 'filter', 'FORWARD --jump DROP')],
    packet: { ...podUdpSeen, ttl: 63 },
  }),
  otherDrop('iptables-legacy-drop', 'the same through the old interface to the kernel', ['NETFILTER_DROP'], {
    requires: ['iptables-legacy'],
    setup: [iptablesRule('iptables-legacy', 'filter', 'FORWARD --jump DROP')],
    packet: { ...podUdpSeen, ttl: 63 },
  }),
  otherDrop('ipv6-no-socket', 'nobody listens on the node’s port, over IPv6', ['NO_SOCKET'], {
    provoke: { ...podUdp6, dst: ADDRESS6.node },
    packet: { ...podUdp6Seen, dst: ADDRESS6.node },
    tolerate: ICMPV6_ERRORS,
  }),
  otherDrop('ipv6-unreachable', 'an unreachable route, over IPv6', ['IP_INNOROUTES', 'NOT_SPECIFIED'], {
    setup: [route(`unreachable ${ADDRESS6.world}`)],
    provoke: podUdp6,
    packet: podUdp6Seen,
    tolerate: ICMPV6_ERRORS,
  }),
  otherDrop(
    'ipv6-hop-limit',
    'a packet that may not be passed on any further',
    ['IP_INHDR', 'NOT_SPECIFIED'],
    {
      provoke: { ...podUdp6, ttl: 1 },
      packet: { ...podUdp6Seen, ttl: 1 },
      tolerate: ICMPV6_ERRORS,
    },
  ),
  passing('ipv6', 'strict mode does not touch IPv6', podUdp6, 'world', rpFilter(1)),
];

const NFT_STRICT = 'fib saddr . mark . iif oif missing drop';
const RPFILTER = '--match rpfilter --invert --jump DROP';
const CALICO_MARK = '--mark 0x40000/0x40000';

/** A check of the reverse path by a rule of netfilter. */
function filterDrop(
  name: string,
  about: string,
  requires: Requirement,
  setup: readonly Step[],
  {
    rule,
    confidence = 'certain',
    lookup,
    provoke = podUdp,
    packet = podUdpSeen,
    device = 'lxcabcd',
  }: FilterOptions,
): LabCase {
  return {
    name,
    about,
    requires: [requires],
    setup,
    provoke,
    expect: [
      {
        reasons: ['NETFILTER_DROP'],
        in: 'node',
        device,
        packet,
        refusal: { verdict: 'netfilter_rpfilter', confidence, ...(lookup && { lookup }) },
        rule,
      },
    ],
  };
}

interface FilterOptions {
  readonly rule: Partial<FilterRule>;
  readonly confidence?: Confidence;
  readonly lookup?: Lookup;
  readonly provoke?: LabPacket;
  readonly packet?: Partial<Packet>;
  readonly device?: string;
}

const fromPodOverIpv6 = { provoke: podUdp6, packet: podUdp6Seen } as const;
const fromWorld = {
  provoke: { from: 'world', kind: 'udp', src: ADDRESS.world, dst: ADDRESS.node },
  packet: { ...udp, src: ADDRESS.world, dst: ADDRESS.node },
  device: 'eth0',
} as const;
const inNft = { kind: 'nft', table: 'rpftrace_lab', chain: 'lab', hook: 'prerouting' } as const;
const inRaw = { table: 'raw', hook: 'prerouting' } as const;

/** What is said of a flow holds for a second: cases that follow each other sooner are different flows. */
function withOwnPort(labCase: LabCase, index: number): LabCase {
  const dstPort = FIRST_OWN_PORT + index;
  return {
    ...labCase,
    provoke: { ...labCase.provoke, dstPort },
    expect: labCase.expect.map((drop) => ({ ...drop, packet: { ...drop.packet, dst_port: dstPort } })),
  };
}

const FIRST_OWN_PORT = 9000;

const netfilter: readonly LabCase[] = [
  filterDrop(
    'nft-fib',
    'a reverse path check by nftables: rp_filter has no part in it',
    'nft-fib',
    [nftRule('ip', 'prerouting priority raw', NFT_STRICT)],
    { rule: { ...inNft, family: 'ip', check: 'strict', text: NFT_STRICT } },
  ),
  filterDrop(
    'nft-fib-loose',
    'the same in loose mode: there is no route back to the source at all',
    'nft-fib',
    [NO_DEFAULT_ROUTE, nftRule('inet', 'prerouting priority raw', 'fib saddr oif missing drop')],
    {
      ...fromWorld,
      lookup: 'none',
      rule: { ...inNft, family: 'inet', check: 'loose', text: 'fib saddr oif missing drop' },
    },
  ),
  filterDrop(
    'nft-fib-ipv6',
    'the same for IPv6, which has no rp_filter at all',
    'nft-fib',
    [nftRule('ip6', 'prerouting priority raw', NFT_STRICT)],
    { ...fromPodOverIpv6, rule: { ...inNft, family: 'ip6', check: 'strict', text: NFT_STRICT } },
  ),
  filterDrop(
    'nft-fib-policy',
    'what passes the check is accepted, the policy drops the rest',
    'nft-fib',
    [nftRule('inet', 'prerouting priority raw; policy drop', 'fib saddr . iif oif exists accept')],
    { rule: { ...inNft, text: 'fib saddr . iif oif exists accept' } },
  ),
  filterDrop(
    'nft-fib-jump',
    'the check jumps to a chain that drops',
    'nft-fib',
    [
      nftTable(
        'inet',
        'chain refuse { counter; drop; }; chain lab { type filter hook prerouting priority raw; fib saddr . iif oif missing jump refuse; }',
      ),
    ],
    { rule: { ...inNft, text: 'fib saddr . iif oif missing jump refuse' } },
  ),
  filterDrop(
    'nft-fib-forward',
    'the check of forwarded packets alone',
    'nft-fib-forward',
    [nftRule('inet', 'forward priority filter', 'fib saddr . iif oif missing drop')],
    {
      confidence: 'likely',
      packet: { ...podUdpSeen, ttl: 63 },
      rule: { ...inNft, hook: 'forward', text: 'fib saddr . iif oif missing drop' },
    },
  ),
  filterDrop(
    'firewalld',
    'as firewalld has it: what finds neighbours is accepted before the check',
    'nft-fib',
    [
      nftTable(
        'inet',
        `chain lab { type filter hook prerouting priority filter + 10; icmpv6 type { nd-router-advert, nd-neighbor-solicit } accept; meta nfproto ipv6 ${NFT_STRICT}; }`,
      ),
    ],
    { ...fromPodOverIpv6, rule: { ...inNft, text: `meta nfproto ipv6 ${NFT_STRICT}` } },
  ),
  filterDrop(
    'iptables-rpfilter',
    'a reverse path check by iptables',
    'iptables-rpfilter',
    [iptablesRule('iptables', 'raw', `PREROUTING ${RPFILTER}`)],
    { rule: { ...inRaw, chain: 'PREROUTING', number: 1, text: '-m rpfilter --invert -j DROP' } },
  ),
  filterDrop(
    'iptables-legacy-rpfilter',
    'the same through the old interface to the kernel',
    'iptables-legacy-rpfilter',
    [iptablesRule('iptables-legacy', 'raw', `PREROUTING ${RPFILTER}`)],
    { rule: { ...inRaw, kind: 'iptables_legacy', number: 1, text: '-m rpfilter --invert -j DROP' } },
  ),
  filterDrop(
    'iptables-validmark',
    'the mark leads the check to the table of Cilium’s proxy, where all is local',
    'iptables-legacy-rpfilter',
    [
      iptablesRule('iptables-legacy', 'raw', 'PREROUTING --in-interface eth0 --jump MARK --set-mark 0x200'),
      iptablesRule('iptables-legacy', 'raw', 'PREROUTING --match rpfilter --validmark --invert --jump DROP'),
    ],
    {
      ...fromWorld,
      packet: { ...fromWorld.packet, mark: 0x200 },
      rule: { ...inRaw, number: 2, text: '-m rpfilter --validmark --invert -j DROP' },
    },
  ),
  filterDrop(
    'ip6tables-rpfilter',
    'a reverse path check by ip6tables',
    'ip6tables-rpfilter',
    [iptablesRule('ip6tables', 'raw', `PREROUTING ${RPFILTER}`)],
    { ...fromPodOverIpv6, rule: { ...inRaw, family: 'ip6', text: '-m rpfilter --invert -j DROP' } },
  ),
  filterDrop(
    'calico',
    'as Calico has it: a chain of its own, for what a mark says comes from a pod',
    'iptables-legacy-rpfilter',
    [
      iptablesChain('iptables-legacy', 'cali-PREROUTING', [
        '--in-interface lxc+ --jump MARK --set-xmark 0x40000/0x40000',
        `--match mark ${CALICO_MARK} --match rpfilter --validmark --invert --jump DROP`,
      ]),
    ],
    {
      packet: { ...podUdpSeen, mark: 0x40000 },
      rule: {
        ...inRaw,
        chain: 'cali-PREROUTING',
        number: 2,
        text: `-m mark ${CALICO_MARK} -m rpfilter --validmark --invert -j DROP`,
      },
    },
  ),
  filterDrop(
    'nixos',
    'as NixOS has it: what passes the check returns, the rest is dropped',
    'iptables-rpfilter',
    [
      iptablesChain('iptables', 'nixos-fw-rpfilter', [
        '--match rpfilter --validmark --jump RETURN',
        '--jump DROP',
      ]),
    ],
    { rule: { ...inRaw, chain: 'nixos-fw-rpfilter', text: '-m rpfilter --validmark -j RETURN' } },
  ),
  {
    name: 'nft-drop-beside-fib',
    about: 'a rule drops what the check beside it lets pass',
    requires: ['nft-fib'],
    setup: [
      nftTable(
        'ip',
        `chain lab { type filter hook prerouting priority raw; ${NFT_STRICT}; meta l4proto udp drop; }`,
      ),
    ],
    provoke: fromWorld.provoke,
    expect: [
      {
        reasons: ['NETFILTER_DROP'],
        in: 'node',
        device: 'eth0',
        packet: fromWorld.packet,
      },
    ],
  },
  filterDrop(
    'nft-drop-before-fib',
    'a rule with conditions that are not understood comes before the check: either may drop',
    'nft-fib',
    [
      nftTable(
        'ip',
        `chain lab { type filter hook prerouting priority raw; udp dport { 1, 2 } drop; ${NFT_STRICT}; }`,
      ),
    ],
    { confidence: 'likely', rule: { ...inNft, text: NFT_STRICT } },
  ),
];

export const CASES: readonly LabCase[] = [
  ...reversePath,
  ...badSources,
  ...shapes,
  ...netfilter.map(withOwnPort),
  ...otherDrops,
];

export function findCase(name: string): LabCase | undefined {
  return CASES.find((candidate) => candidate.name === name);
}
