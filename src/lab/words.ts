import type { DropEvent, Packet, RpfMode } from '../events.js';
import { formatEndpoint } from '../record/address.js';
import type { ExpectedDrop, LabDrop } from './cases.js';

/** An expectation in a line: what a person looks for first. */
export function expectedInBrief(expected: ExpectedDrop, count: number): string {
  return [head(expected, count), ...brief(expected.packet, expected.mode)].join(', ');
}

/** A drop in the same words. */
export function dropInBrief(drop: LabDrop): string {
  return [headOf(drop), ...brief(drop.event.packet ?? {}, drop.event.rpf?.mode)].join(', ');
}

/** An expectation with everything that it says. */
export function allOfExpected(expected: ExpectedDrop, count: number): string {
  const { packet, mode, refusal, rule } = expected;
  return [head(expected, count), ...facts({ ...packet, ...mode, ...refusal }), ...facts(rule, 'rule.')].join(
    ' ',
  );
}

/** A drop with everything that its event says of packet, mode, verdict and rule. */
export function allOfDrop(drop: LabDrop): string {
  const { packet, rpf, location } = drop.event;
  const { verdict, confidence } = rpf ?? {};
  const known = { location, ...packet, ...rpf?.mode, verdict, confidence };
  return [headOf(drop), ...facts(known), ...facts(rpf?.rule, 'rule.')].join(' ');
}

function head({ reasons, in: place, device }: ExpectedDrop, count: number): string {
  return `${count} x ${reasons.join(' or ')} on ${place}/${device}`;
}

function headOf({ place, event }: LabDrop): string {
  return `${event.count} x ${reasonOf(event)} on ${place}/${event.device.name ?? '?'}`;
}

function reasonOf({ reason }: DropEvent): string {
  return reason ?? 'no reason';
}

function brief(packet: Partial<Packet>, mode: Partial<RpfMode> | undefined): string[] {
  const ends =
    packet.src || packet.dst
      ? [`${end(packet.src, packet.src_port)} > ${end(packet.dst, packet.dst_port)}`]
      : [];
  const shape = SHAPE.filter((name) => packet[name] !== undefined && packet[name] !== PLAIN[name]);
  const rpFilter = mode && [`rp_filter all=${mode.all} device=${mode.device}`];
  return [
    [packet.protocol, ...ends].filter((word) => word !== undefined).join(' '),
    ...shape.map((name) => `${name}=${packet[name]}`),
    ...(rpFilter ?? []),
  ].filter((words) => words !== '');
}

function end(address: string | undefined, port: number | undefined): string {
  return address === undefined ? '*' : formatEndpoint(address, port);
}

/** What sets a packet apart from others. */
const SHAPE = [
  'headers_unknown',
  'transport_unknown',
  'tcp_flags',
  'icmp_type',
  'mark',
  'gso_segs',
  'vlan_id',
  'fragment_offset',
  'nonlinear',
] as const satisfies (keyof Packet)[];

/** Not worth a word. */
const PLAIN: Partial<Packet> = { mark: 0, gso_segs: 1 };

function facts(values: object = {}, prefix = ''): string[] {
  return Object.entries(values)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${prefix}${name}=${value}`);
}
