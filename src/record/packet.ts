import type { Packet } from '../events.js';
import type { DropReader } from './decode.js';
import { FLAGS } from './layout.gen.js';

/**
 * What is known of the packet. A member that could not be read is undefined, and a sibling says why. Undefined as a whole
 * for drops that were counted without their flow.
 */
export function describePacket(drop: DropReader): Packet | undefined {
  const flags = drop.flags;
  if (flags & FLAGS.COARSE) return undefined;
  const read = flags & FLAGS.L3;
  const ports = flags & FLAGS.L4 && !isIcmp(drop);
  const icmp = flags & FLAGS.L4 && isIcmp(drop);
  return {
    family: when(read, drop.family === 4 ? 'ipv4' : 'ipv6'),
    ethertype: when(!read && drop.ethertype, formatEthertype(drop.ethertype)),
    headers_unknown: headersUnknown(flags),
    protocol: protocolOf(drop),
    src: when(read, drop.src),
    src_port: when(ports, drop.srcPort),
    dst: when(read, drop.dst),
    dst_port: when(ports, drop.dstPort),
    transport_unknown: transportUnknown(flags, drop.fragmentOffset),
    tcp_flags: when(flags & FLAGS.TCP_FLAGS, formatTcpFlags(drop.tcpFlags)),
    icmp_type: when(icmp, drop.icmpType),
    icmp_code: when(icmp, drop.icmpCode),
    length: drop.length,
    ttl: when(read && !isArp(drop), drop.ttl),
    mark: drop.mark,
    gso_segs: wirePackets(drop.gsoSegs, drop.gsoSize),
    gso_size: when(drop.gsoSize, drop.gsoSize),
    vlan_id: when(flags & FLAGS.VLAN, drop.vlanId),
    fragment_offset: when(flags & FLAGS.FRAGMENT, drop.fragmentOffset),
    nonlinear: when(flags & FLAGS.NONLINEAR, true as const),
  };
}

function when<T>(known: number | boolean, value: T): T | undefined {
  return known ? value : undefined;
}

/** Of an ARP request the addresses are known, as if it were a packet from its sender to whom it asks for. */
function isArp(drop: DropReader): boolean {
  return drop.ethertype === ETH_P_ARP;
}

function protocolOf(drop: DropReader): string | undefined {
  if (isArp(drop) && drop.flags & FLAGS.L3) return 'arp';
  return when(drop.flags & FLAGS.L4_PROTOCOL, PROTOCOLS.get(drop.protocol) ?? String(drop.protocol));
}

function isIcmp(drop: DropReader): boolean {
  return drop.protocol === IPPROTO_ICMP || drop.protocol === IPPROTO_ICMPV6;
}

function headersUnknown(flags: number): Packet['headers_unknown'] {
  if (flags & FLAGS.L3_SHORT) return 'short';
  if (flags & FLAGS.L3_NONLINEAR) return 'nonlinear';
  if (flags & FLAGS.L3_MALFORMED) return 'malformed';
  if (flags & FLAGS.L3_ABSENT) return 'absent';
  return undefined;
}

function transportUnknown(flags: number, fragmentOffset: number): Packet['transport_unknown'] {
  if (flags & FLAGS.L4_SHORT) return 'short';
  if (flags & FLAGS.L4_NONLINEAR) return 'nonlinear';
  if (flags & FLAGS.FRAGMENT && fragmentOffset > 0) return 'fragment';
  return undefined;
}

/** skb_shinfo(skb)->gso_segs is 0 for a plain packet, and with a gso_size it means that nobody has counted them. */
function wirePackets(segs: number, size: number): number | undefined {
  if (segs > 0) return segs;
  return size === 0 ? 1 : undefined;
}

function formatEthertype(ethertype: number): string {
  return `0x${ethertype.toString(16).padStart(4, '0')}`;
}

function formatTcpFlags(flags: number): string {
  return TCP_FLAGS.filter(([bit]) => flags & bit)
    .map(([, letter]) => letter)
    .join('');
}

/** Bits of byte 13 of the TCP header (RFC 9293) in the order in which people say them: SYN ACK is SA. */
const TCP_FLAGS = [
  [0x02, 'S'],
  [0x01, 'F'],
  [0x04, 'R'],
  [0x08, 'P'],
  [0x10, 'A'],
  [0x20, 'U'],
  [0x40, 'E'],
  [0x80, 'C'],
] as const;

const ETH_P_ARP = 0x0806;
const IPPROTO_ICMP = 1;
const IPPROTO_ICMPV6 = 58;

/** include/uapi/linux/in.h and in6.h */
const PROTOCOLS = new Map([
  [IPPROTO_ICMP, 'icmp'],
  [2, 'igmp'],
  [4, 'ipip'],
  [6, 'tcp'],
  [17, 'udp'],
  [33, 'dccp'],
  [41, 'ipv6'],
  [47, 'gre'],
  [50, 'esp'],
  [51, 'ah'],
  [IPPROTO_ICMPV6, 'icmpv6'],
  [89, 'ospf'],
  [103, 'pim'],
  [112, 'vrrp'],
  [132, 'sctp'],
  [136, 'udplite'],
]);
