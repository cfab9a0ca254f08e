import type { AnyValueMap } from '@opentelemetry/api-logs';
import type { DropEvent, Packet, PodMember, Rpf } from '../events.js';

/**
 * A drop in the words of the semantic conventions of OpenTelemetry (1.44) as far as they have any, else under a name of our
 * own. Members that are unknown are left out by the SDK.
 */
export function dropAttributes(event: DropEvent): AnyValueMap {
  const { packet, device, pod, peer, rpf } = event;
  return {
    'linux.skb.drop_reason': event.reason,
    'rpftrace.drop.count': event.count,
    'rpftrace.drop.aggregate': event.aggregate,
    'rpftrace.drop.location': event.location,
    'rpftrace.incident.id': event.incident,
    'network.interface.name': device.name,
    'rpftrace.device.role': device.role,
    'rpftrace.device.netns': device.netns,
    'rpftrace.peer.kind': peer?.kind,
    'rpftrace.peer.namespace': peer?.namespace,
    'rpftrace.peer.name': peer?.name,
    ...(packet && packetAttributes(packet)),
    ...(pod && podAttributes(pod)),
    ...(rpf && rpfAttributes(rpf)),
  };
}

function packetAttributes(packet: Packet): AnyValueMap {
  return {
    'network.type': packet.family,
    'network.transport': packet.protocol,
    'source.address': packet.src,
    'source.port': packet.src_port,
    'destination.address': packet.dst,
    'destination.port': packet.dst_port,
  };
}

function podAttributes({ namespace, name, uid, ip, container, workload, direction }: PodMember): AnyValueMap {
  return {
    'k8s.namespace.name': namespace,
    'k8s.pod.name': name,
    'k8s.pod.uid': uid,
    'k8s.pod.ip': ip,
    'k8s.container.name': container,
    ...(workload && { [`k8s.${workload.kind.toLowerCase()}.name`]: workload.name }),
    'rpftrace.pod.direction': direction,
  };
}

function rpfAttributes({ verdict, mode, reverse_route, fix }: Rpf): AnyValueMap {
  return {
    'rpftrace.rpf.verdict': verdict,
    'rpftrace.rpf.mode.effective': mode?.effective,
    'rpftrace.rpf.reverse_route.interface': reverse_route?.device,
    'rpftrace.rpf.fix': fix,
  };
}
