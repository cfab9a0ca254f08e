import type { Device, IncidentEvent, Packet } from '../events.js';
import { grouped } from '../grouped.js';
import { printable } from '../printable.js';
import { formatEndpoint } from '../record/address.js';
import { Nodes } from '../sink/nodes.js';
import { Tally } from './tally.js';

/** Who lost how much, and what is told of it at the end. */
export class Tallies {
  readonly reasons = new Tally();
  readonly devices = new Tally();
  readonly flows = new Tally();
  readonly #nodes = new Nodes();
  /** The last sentence of each incident. */
  readonly #incidents = new Map<string, string>();

  /** Of very many incidents only the first are remembered. */
  addIncident({ id, node, summary }: Pick<IncidentEvent, 'id' | 'node' | 'summary'>): void {
    const name = this.nameOn(node, id);
    if (this.#incidents.has(name) || this.#incidents.size < MAX_INCIDENTS) this.#incidents.set(name, summary);
  }

  /** A name for a tally of what there may be on each of several nodes; the node is told where there are several. */
  nameOn(node: string, text: string): string {
    this.#nodes.see(node);
    return `${text}${NODE_MARK}${node}`;
  }

  /** Lines for people. */
  get lines(): string[] {
    return [
      ...[...this.#incidents].map(([name, summary]) => `  ${this.#told(name)}: ${printable(summary)}`),
      ...this.#section('reason', this.reasons),
      ...this.#section('device', this.devices),
      ...this.#section('flow', this.flows),
    ];
  }

  #section(title: string, tally: Tally): string[] {
    const { names, others } = tally.top(TOP);
    if (names.length === 0) return [];
    const rows = others > 0 ? [...names, ['others', others] as const] : names;
    const width = Math.max(...rows.map(([, count]) => grouped(count).length));
    return [
      `  by ${title}:`,
      ...rows.map(([name, count]) => `    ${grouped(count).padStart(width)}  ${this.#told(name)}`),
    ];
  }

  #told(name: string): string {
    const [text = '', node] = name.split(NODE_MARK);
    return printable(node !== undefined && this.#nodes.areSeveral ? `${text}, node ${node}` : text);
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

const TOP = 5;
const MAX_INCIDENTS = 16;
/** In no name of a device, a flow, an incident. */
const NODE_MARK = '\0';
