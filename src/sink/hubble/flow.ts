import type { DropEvent, Packet, Peer, PodMember } from '../../events.js';
import { printable } from '../../printable.js';
import { VERSION } from '../../version.js';
import { reasonText, rpfText } from '../drop-text.js';

/**
 * A drop as flow.Flow of Cilium (api/v1/flow/flow.proto, 1.19), as proto3 JSON with the names of the proto file, which is how
 * Hubble writes it. Members that are unknown are undefined. Hubble's own reasons are about Cilium's programs: where none comes
 * near to what the kernel did, `drop_reason_desc` is left out; Summary says what it was.
 */
export function flowOf(event: DropEvent): object {
  const { packet, device, pod, time, node } = event;
  const reason = dropReasonOf(event);
  const [source, destination] = sidesOf(event);
  return {
    time,
    emitter: { name: 'rpftrace', version: VERSION },
    verdict: 'DROPPED',
    drop_reason: reason?.number,
    IP: packet && ipOf(packet),
    l4: packet && layer4Of(packet),
    source: source?.endpoint,
    destination: destination?.endpoint,
    Type: 'L3_L4',
    node_name: node,
    event_type: { type: MESSAGE_TYPE_DROP, sub_type: reason?.number ?? NO_REASON_OF_CILIUM },
    source_service: source?.service,
    destination_service: destination?.service,
    traffic_direction: directionOf(pod),
    drop_reason_desc: reason?.name,
    interface: device.name === undefined ? undefined : { index: device.ifindex, name: device.name },
    aggregate: event.count > 1 ? aggregateOf(event) : undefined,
    Summary: summaryOf(event),
  };
}

interface Side {
  readonly endpoint?: object | undefined;
  readonly service?: object | undefined;
}

/** Pod and peer as source and destination. */
function sidesOf(event: DropEvent): [Side | undefined, Side | undefined] {
  const { pod, packet } = event;
  const own = pod && ownSide(pod, event);
  const other = event.peer && peerSide(event.peer);
  const isSource = pod?.direction === 'from_pod' || (pod?.direction === undefined && pod?.ip === packet?.src);
  return isSource ? [own, other] : [other, own];
}

function ownSide(pod: PodMember, { cilium }: DropEvent): Side {
  return {
    endpoint: {
      ID: cilium?.endpoint_id,
      identity: cilium?.identity,
      namespace: pod.namespace,
      labels: labelsOf(pod),
      pod_name: pod.name,
      workloads: pod.workload && [pod.workload],
    },
  };
}

function peerSide({ kind, namespace, name, workload }: Peer): Side | undefined {
  if (kind === 'service') return { service: { name, namespace } };
  if (kind !== 'pod') return undefined;
  return { endpoint: { namespace, pod_name: name, workloads: workload && [workload] } };
}

function labelsOf({ labels }: PodMember): string[] | undefined {
  return labels && Object.entries(labels).map(([key, value]) => `k8s:${key}=${value}`);
}

function ipOf({ family, src, dst }: Packet): object | undefined {
  if (family === undefined) return undefined;
  return { source: src, destination: dst, ipVersion: family === 'ipv4' ? 'IPv4' : 'IPv6' };
}

function layer4Of(packet: Packet): object | undefined {
  const { protocol, src_port, dst_port, icmp_type, icmp_code } = packet;
  const ports = { source_port: src_port, destination_port: dst_port };
  switch (protocol) {
    case 'tcp':
      return { TCP: { ...ports, flags: tcpFlagsOf(packet) } };
    case 'udp':
      return { UDP: ports };
    case 'sctp':
      return { SCTP: ports };
    case 'icmp':
      return { ICMPv4: { type: icmp_type, code: icmp_code } };
    case 'icmpv6':
      return { ICMPv6: { type: icmp_type, code: icmp_code } };
    default:
      return undefined;
  }
}

function tcpFlagsOf({ tcp_flags }: Packet): object | undefined {
  if (tcp_flags === undefined) return undefined;
  return Object.fromEntries(
    [...tcp_flags].map((letter) => [TCP_FLAGS[letter as keyof typeof TCP_FLAGS], true]),
  );
}

function directionOf(pod: PodMember | undefined): string | undefined {
  if (pod?.direction === undefined) return undefined;
  return pod.direction === 'from_pod' ? 'EGRESS' : 'INGRESS';
}

function aggregateOf({ count, pod }: DropEvent): object {
  if (pod?.direction === 'from_pod') return { egress_flow_count: count };
  return pod?.direction === 'to_pod'
    ? { ingress_flow_count: count }
    : { unknown_direction_flow_count: count };
}

function summaryOf(event: DropEvent): string {
  const count = event.count > 1 ? `${event.count} drops: ` : '';
  const verdict = event.rpf ? `; ${rpfText(event.rpf)}` : '';
  return printable(`${count}${reasonText(event)}${verdict}`);
}

/** The route back was the matter, or the source itself. */
function dropReasonOf({ rpf }: DropEvent): { number: number; name: string } | undefined {
  switch (rpf?.verdict) {
    case 'strict_mismatch':
    case 'unnumbered_mismatch':
    case 'no_reverse_route':
    case 'netfilter_rpfilter':
      return { number: 169, name: 'FIB_LOOKUP_FAILED' };
    case 'local_source':
    case 'invalid_source':
    case 'loopback_source':
      return { number: 132, name: 'INVALID_SOURCE_IP' };
    default:
      return undefined;
  }
}

const TCP_FLAGS = { S: 'SYN', F: 'FIN', R: 'RST', P: 'PSH', A: 'ACK', U: 'URG', E: 'ECE', C: 'CWR' } as const;
/** pkg/monitor/api/types.go */
const MESSAGE_TYPE_DROP = 1;
/** A number that pkg/monitor/api/drop.go has no words for: Hubble shows the number. 0 would be shown as success. */
const NO_REASON_OF_CILIUM = 255;
