import type { Received } from '../attach/received.js';
import type { DropEvent } from '../events.js';
import { grouped } from '../grouped.js';
import { deviceText, flowText, Tallies } from './tallies.js';

/** Collects what came from afar, and tells it at the end. */
export class AttachSummary {
  readonly #tallies = new Tallies();
  readonly #startMs = performance.now();
  #drops = 0;
  #lost = 0;
  /** Events that this reader did not get. */
  #missing = 0;
  #maybeMore = false;
  #unknown = 0;

  add({ event }: Received): void {
    if (event === undefined) this.#unknown++;
    else if (event.kind === 'drop') this.#addDrop(event);
    else if (event.kind === 'incident') this.#tallies.addIncident(event);
    else if (event.kind === 'lost' && event.where === 'reader') {
      this.#missing += event.count;
      this.#maybeMore ||= event.count_unknown !== undefined;
    } else if (event.kind === 'lost' && event.where !== 'sysctl') this.#lost += event.count;
  }

  /** For people, to stderr. */
  get lines(): string[] {
    const seconds = ((performance.now() - this.#startMs) / 1000).toFixed(1);
    return [
      `rpftrace: ${grouped(this.#drops)} drops told in ${seconds} s, ${grouped(this.#lost)} lost`,
      ...this.#tallies.lines,
      ...this.#gaps(),
    ];
  }

  #addDrop({ node, reason, device, packet, count }: DropEvent): void {
    this.#drops += count;
    this.#tallies.reasons.add(reason ?? 'no reason given', count);
    this.#tallies.devices.add(this.#tallies.nameOn(node, deviceText(device)), count);
    this.#tallies.flows.add(this.#tallies.nameOn(node, flowText(packet, device)), count);
  }

  #gaps(): string[] {
    const lines: string[] = [];
    const more = this.#maybeMore ? ', perhaps more' : '';
    if (this.#missing > 0 || this.#maybeMore)
      lines.push(`  ${grouped(this.#missing)} events${more} of the server did not get here`);
    if (this.#unknown > 0)
      lines.push(`  ${grouped(this.#unknown)} events are of a kind that this version does not know`);
    return lines;
  }
}
