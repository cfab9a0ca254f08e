import type { Device, IncidentEvent, Packet, StopEvent } from '../events.js';
import { grouped } from '../grouped.js';
import { printable } from '../printable.js';
import { formatEndpoint } from '../record/address.js';
import type { DropReader } from '../record/decode.js';
import { describePacket } from '../record/packet.js';
import type { Context, Flow } from '../sink/sink.js';
import { Tally } from './tally.js';

/** Collects who lost how much while a trace runs, and tells it at the end. */
export class Summary {
  readonly #reasons = new Tally();
  readonly #devices = new Tally();
  readonly #flows = new Tally();
  /** The last sentence of each incident. */
  readonly #incidents = new Map<string, string>();

  /** Takes flows that are forgotten. Of very many small ones only some are told by name. */
  add(flows: readonly Flow[], recordOf: (flow: Flow) => DropReader): void {
    const contexts = new Map<Context, number>();
    let total = 0;
    for (const { context, drops } of flows) {
      contexts.set(context, (contexts.get(context) ?? 0) + drops);
      total += drops;
    }
    for (const [context, drops] of contexts) {
      this.#reasons.add(context.reason ?? 'no reason given', drops);
      this.#devices.add(deviceText(context.device), drops);
    }
    let rest = total;
    for (const flow of largest(flows, total / flows.length)) {
      this.#flows.add(flowText(describePacket(recordOf(flow)), flow.context.device), flow.drops);
      rest -= flow.drops;
    }
    this.#flows.addOthers(rest);
  }

  /** Takes what is told of an incident. Of very many only the first are remembered. */
  addIncident({ id, summary }: IncidentEvent): void {
    if (this.#incidents.has(id) || this.#incidents.size < MAX_INCIDENTS) this.#incidents.set(id, summary);
  }

  /** Lines for people, to stderr. Has a trailing newline. */
  format(stop: StopEvent): string {
    const lines = [
      headline(stop),
      ...[...this.#incidents].map(([id, summary]) => `  ${id}: ${printable(summary)}`),
      ...section('reason', this.#reasons),
      ...section('device', this.#devices),
      ...section('flow', this.#flows),
      ...accountLines(stop),
    ];
    return `${lines.join('\n')}\n`;
  }
}

/** Those with the most drops; of many it sorts only what is not below the average, since this runs within a flood. */
function largest(flows: readonly Flow[], average: number): Flow[] {
  if (flows.length <= MAX_NAMED) return [...flows];
  const candidates = flows.filter((flow) => flow.drops >= average);
  if (candidates.length === flows.length) return candidates.slice(0, MAX_NAMED);
  return candidates.sort((a, b) => b.drops - a.drops).slice(0, MAX_NAMED);
}

function headline({ totals, elapsed_ms: elapsedMs }: StopEvent): string {
  const seconds = elapsedMs / 1000;
  const rate = seconds >= 1 ? ` (${grouped(Math.round(totals.emitted / seconds))}/s)` : '';
  const filtered = totals.matched < totals.seen ? ` of ${grouped(totals.seen)} that the kernel made` : '';
  return `rpftrace: ${grouped(totals.emitted)} drops${filtered} in ${seconds.toFixed(1)} s${rate}, ${grouped(totals.lost)} lost`;
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

/** Only what is not as it should be, and the good news in one line. */
function accountLines({ totals, conservation, reconciled, netns, ...stop }: StopEvent): string[] {
  const lines: string[] = [];
  if (totals.recursion > 0)
    lines.push(`  ${grouped(totals.recursion)} drops inside of the tracer itself went unseen`);
  if (totals.malformed > 0) lines.push(`  ${grouped(totals.malformed)} records could not be read`);
  if (totals.discarded > 0)
    lines.push(`  ${grouped(totals.discarded)} more drops came after the last one asked for`);
  if (!conservation.holds)
    lines.push(`  ${grouped(conservation.difference)} drops were captured and not written`);
  for (const entry of netns) {
    if (entry.reconciled) continue;
    const kernel = entry.kernel === undefined ? '' : `, the kernel counted ${grouped(entry.kernel)}`;
    lines.push(
      `  netns ${entry.netns}: ${grouped(entry.traced)} IP_RPFILTER drops traced${kernel}: ${entry.why}`,
    );
  }
  if (reconciled && netns.length > 0)
    lines.push('  every reverse-path drop agrees with the kernel’s own counter');
  if (stop.reconciled_unknown)
    lines.push(`  not held against the kernel’s counter: ${stop.reconciled_unknown}`);
  return lines;
}

function deviceText({ name, role, netns }: Device): string {
  const where = netns === undefined ? '' : `, netns ${netns}`;
  return name === undefined ? `no device${where}` : `${name} (${role}${where})`;
}

function flowText(packet: Packet | undefined, device: Device): string {
  if (packet?.src === undefined)
    return packet?.ethertype ? `ethertype ${packet.ethertype}` : 'not told apart';
  const from = formatEndpoint(packet.src, packet.src_port);
  const to = formatEndpoint(packet.dst as string, packet.dst_port);
  const name = device.name === undefined ? '' : ` on ${device.name}`;
  return `${packet.protocol ?? 'ip'} ${from} -> ${to}${name}`;
}

const TOP = 5;
const MAX_INCIDENTS = 16;
/** Flows that are told by name each time that flows are forgotten. */
const MAX_NAMED = 64;
