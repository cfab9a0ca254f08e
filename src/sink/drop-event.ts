import type { DropEvent } from '../events.js';
import type { Clock } from '../record/clock.js';
import type { DropReader } from '../record/decode.js';
import { FLAGS } from '../record/layout.gen.js';
import type { DropFacts } from './sink.js';

/** A drop as an event, keys in the order of the schema. Members that are unknown are undefined. */
export function dropEvent(drop: DropReader, facts: DropFacts, clock: Clock, node: string): DropEvent {
  const isAggregate = facts.aggregate !== undefined;
  return {
    v: 1,
    kind: 'drop',
    time: clock.format(drop.timeLow, drop.timeHigh),
    first_time: isAggregate ? clock.format(drop.firstLow, drop.firstHigh) : undefined,
    node,
    count: drop.count,
    aggregate: facts.aggregate,
    reason: facts.reason,
    reason_unknown: facts.reason_unknown,
    location: facts.location,
    hook: 'tp_btf/kfree_skb',
    skb: isAggregate ? undefined : formatAddress(drop.skbLow, drop.skbHigh),
    packet: facts.packet,
    packet_unknown: facts.packet_unknown,
    device: facts.device,
    rpf: facts.rpf,
  };
}

/** Who ran on the CPU. In an aggregate there is none: it stands for drops of many moments. */
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
