import type { IncidentEvent, StopEvent } from '../events.js';
import { grouped } from '../grouped.js';
import type { DropReader } from '../record/decode.js';
import { describePacket } from '../record/packet.js';
import type { Context, Flow } from '../sink/sink.js';
import { deviceText, flowText, Tallies } from './tallies.js';

/** Collects who lost how much while a trace runs, and tells it at the end. */
export class Summary {
  readonly #tallies = new Tallies();

  /** Takes flows that are forgotten. Of very many small ones only some are told by name. */
  add(flows: readonly Flow[], recordOf: (flow: Flow) => DropReader): void {
    const contexts = new Map<Context, number>();
    let total = 0;
    for (const { context, drops } of flows) {
      contexts.set(context, (contexts.get(context) ?? 0) + drops);
      total += drops;
    }
    for (const [context, drops] of contexts) {
      this.#tallies.reasons.add(context.reason ?? 'no reason given', drops);
      this.#tallies.devices.add(deviceText(context.device), drops);
    }
    let rest = total;
    for (const flow of largest(flows, total / flows.length)) {
      this.#tallies.flows.add(flowText(describePacket(recordOf(flow)), flow.context.device), flow.drops);
      rest -= flow.drops;
    }
    this.#tallies.flows.addOthers(rest);
  }

  addIncident(incident: IncidentEvent): void {
    this.#tallies.addIncident(incident);
  }

  /** Lines for people, to stderr. Has a trailing newline. */
  format(stop: StopEvent): string {
    const lines = [headline(stop), ...this.#tallies.lines, ...accountLines(stop)];
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

/** Flows that are told by name each time that flows are forgotten. */
const MAX_NAMED = 64;
