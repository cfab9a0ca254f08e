import type { DropEvent } from '../events.js';
import type { Clock } from '../record/clock.js';
import type { DropReader } from '../record/decode.js';
import { FLAGS } from '../record/layout.gen.js';
import { describePacket } from '../record/packet.js';
import type { Context, Flow } from './sink.js';

/** A drop as an event, keys in the order of the schema. Members that are unknown are undefined. */
export function dropEvent(drop: DropReader, flow: Flow, clock: Clock, node: string): DropEvent {
  const { context } = flow;
  const { aggregate } = context;
  return {
    v: 1,
    kind: 'drop',
    time: clock.format(drop.timeLow, drop.timeHigh),
    first_time: aggregate && clock.format(drop.firstLow, drop.firstHigh),
    node,
    count: drop.count,
    ...placeMembers(context),
    skb: aggregate ? undefined : formatAddress(drop.skbLow, drop.skbHigh),
    ...packetMembers(drop),
    ...deviceMembers(context),
    ...podMembers(flow),
    ...rpfMembers(flow),
    incident: flow.incident?.id,
    current_task: aggregate ? undefined : currentTask(drop),
    ...packetBytes(drop),
  };
}

/** The members between count and skb. */
export function placeMembers(
  context: Context,
): Pick<DropEvent, 'aggregate' | 'reason' | 'reason_unknown' | 'location' | 'hook'> {
  const { aggregate, reason, reason_unknown, location, hook } = context;
  return { aggregate, reason, reason_unknown, location, hook };
}

export function packetMembers(drop: DropReader): Pick<DropEvent, 'packet' | 'packet_unknown'> {
  const packet = describePacket(drop);
  return packet
    ? { packet }
    : { packet_unknown: 'the flow table was full: counted by reason, location and device' };
}

/** The members behind the packet that all flows of a context share. */
export function deviceMembers({ device }: Context): Pick<DropEvent, 'device'> {
  return { device };
}

/** Whose drop it is. */
export function podMembers({
  attribution: { pod, pod_unknown, peer, cilium },
}: Flow): Pick<DropEvent, 'pod' | 'pod_unknown' | 'peer' | 'cilium'> {
  return { pod, pod_unknown, peer, cilium };
}

export function rpfMembers({ rpf }: Flow): Pick<DropEvent, 'rpf'> {
  return { rpf };
}

/** Who ran on the CPU. An aggregate stands for drops of many moments and has none. */
export function currentTask(drop: DropReader): DropEvent['current_task'] {
  return { comm: drop.comm, pid: drop.pid, cgroup_id: drop.cgroupId.toString(), related: 'maybe' };
}

export function packetBytes(
  drop: DropReader,
): Pick<DropEvent, 'packet_bytes' | 'packet_bytes_from' | 'packet_bytes_cut'> {
  if (drop.snapBytes === 0) return {};
  const { buffer, byteOffset, byteLength } = drop.snap;
  return {
    packet_bytes: Buffer.from(buffer, byteOffset, byteLength).toString('base64'),
    packet_bytes_from: drop.flags & FLAGS.SNAP_MAC ? 'mac' : 'network',
    packet_bytes_cut: drop.flags & FLAGS.SNAP_NONLINEAR ? 'nonlinear' : undefined,
  };
}

function formatAddress(low: number, high: number): string {
  return `0x${high.toString(16).padStart(8, '0')}${low.toString(16).padStart(8, '0')}`;
}
