import { readFileSync } from 'node:fs';
import { findBinary } from '../addon.js';
import type { Lab } from './lab.js';
import type { LabPacket } from './packet.js';
import { run } from './process.js';
import { MAC } from './topology.js';

export interface SendOptions {
  readonly count: number;
  /** Packets per second; as fast as possible without it. */
  readonly rate?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface Sent {
  /** Frames: of a packet in fragments each. */
  readonly sent: number;
  /** Frames that the kernel dropped before the device took them, because its backlog was full. */
  readonly refused: number;
  readonly elapsedNs: number;
}

export const SENDER = findBinary('rpftrace-send');

/** Sends `count` packets and resolves when the kernel has dealt with them. Throws E_LAB. */
export async function send(lab: Lab, packet: LabPacket, options: SendOptions): Promise<Sent> {
  const output = await run(SENDER, senderArguments(lab, packet, options), { signal: options.signal });
  const line = JSON.parse(output) as { sent: number; refused: number; elapsed_ns: number };
  return { sent: line.sent, refused: line.refused, elapsedNs: line.elapsed_ns };
}

export function senderArguments(
  lab: Lab,
  { from, kind, ...packet }: LabPacket,
  { count, rate }: Pick<SendOptions, 'count' | 'rate'>,
): string[] {
  const options = { netns: lab.path(from), dstMac: MAC, cpu: oneCpu(), ...packet, count, rate };
  const words = Object.entries(options).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${kebab(name)}`, String(value)],
  );
  return [kind, ...words];
}

/** Always the same CPU: what is sent later is dropped later. */
function oneCpu(): number {
  const allowed = /^Cpus_allowed_list:\s*(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return Number(allowed?.[1] ?? 0);
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
