import type { Device, IncidentEvent, Packet } from '../events.js';
import { grouped } from '../grouped.js';
import { printable } from '../printable.js';
import { formatEndpoint } from '../record/address.js';
import { Tally } from './tally.js';

/** Who lost how much, and what is told of it at the end. */
export class Tallies {
  readonly reasons = new Tally();
  readonly devices = new Tally();
  readonly flows = new Tally();
  /** The last sentence of each incident. */
  readonly #incidents = new Map<string, string>();

  /** Of very many incidents only the first are remembered. */
  addIncident({ id, summary }: Pick<IncidentEvent, 'id' | 'summary'>): void {
    if (this.#incidents.has(id) || this.#incidents.size < MAX_INCIDENTS) this.#incidents.set(id, summary);
  }

  /** Lines for people. */
  get lines(): string[] {
    return [
      ...[...this.#incidents].map(([id, summary]) => `  ${printable(id)}: ${printable(summary)}`),
      ...section('reason', this.reasons),
      ...section('device', this.devices),
      ...section('flow', this.flows),
    ];
  }
}

export function deviceText({ name, role, netns }: Device): string {
  const where = netns === undefined ? '' : `, netns ${netns}`;
  return name === undefined ? `no device${where}` : `${name} (${role}${where})`;
}

export function flowText(packet: Packet | undefined, device: Device): string {
  if (packet?.src === undefined)
    return packet?.ethertype ? `ethertype ${packet.ethertype}` : 'not told apart';
  const from = formatEndpoint(packet.src, packet.src_port);
  const to = formatEndpoint(packet.dst as string, packet.dst_port);
  const name = device.name === undefined ? '' : ` on ${device.name}`;
  return `${packet.protocol ?? 'ip'} ${from} -> ${to}${name}`;
}

function section(title: string, tally: Tally): string[] {
  const { names, others } = tally.top(TOP);
  if (names.length === 0) return [];
  const rows = others > 0 ? [...names, ['others', others] as const] : names;
  const width = Math.max(...rows.map(([, count]) => grouped(count).length));
  return [
    `  by ${title}:`,
    ...rows.map(([name, count]) => `    ${grouped(count).padStart(width)}  ${printable(name)}`),
  ];
}

const TOP = 5;
const MAX_INCIDENTS = 16;
