import type { PodMember, Rpf } from '../events.js';
import type { DropReader } from '../record/decode.js';
import type { Flow } from '../sink/sink.js';

/** What is not known, or not there, is the empty string. */
export interface DropLabels {
  readonly reason: string;
  readonly verdict: string;
  readonly namespace: string;
  readonly pod: string;
  readonly device: string;
}

export interface DropSeries {
  readonly labels: DropLabels;
  /** When counting began, ms since 1970. One that was let go and came back has begun anew, at 0. */
  readonly startedMs: number;
  drops: number;
}

/** The series of a flow, and what it follows from. */
interface Known {
  readonly series: Series;
  readonly generation: number;
  readonly device: Flow['context']['device'];
  readonly pod: PodMember | undefined;
  readonly rpf: Rpf | undefined;
}

interface Series extends DropSeries {
  /** `drops` when it was looked at last, and when that was another number, ms. */
  seenDrops: number;
  movedMs: number;
}

export interface DropCounterOptions {
  readonly maxSeries?: number | undefined;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/**
 * Counts drops by what people ask for, exactly, and makes no garbage for a drop of a flow that is known. Names of pods and
 * devices come and go: with `maxSeries` of them, the next ones are counted under OTHER, which keeps reason and verdict, until
 * series that have not moved for an hour make room.
 */
export class DropCounter {
  readonly maxSeries: number;
  /** Drops that were counted under OTHER. */
  folded = 0;
  readonly #now: () => number;
  readonly #series = new Map<string, Series>();
  readonly #folded = new Map<string, Series>();
  /** By the id of the flow. */
  readonly #known: Known[] = [];
  #generation = 0;

  constructor({ maxSeries = MAX_SERIES, now = Date.now }: DropCounterOptions = {}) {
    this.maxSeries = maxSeries;
    this.#now = now;
  }

  count(drop: DropReader, flow: Flow): void {
    const known = this.#known[flow.id];
    const isCurrent =
      known?.generation === this.#generation &&
      known.pod === flow.attribution.pod &&
      known.rpf === flow.rpf &&
      known.device === flow.context.device;
    const series = isCurrent ? known.series : this.#meet(flow);
    series.drops += drop.count;
    if (series.labels.pod === OTHER) this.folded += drop.count;
  }

  /** The ids of flows are given out anew. */
  forgetFlows(): void {
    this.#generation++;
  }

  /** Without those under OTHER. */
  get size(): number {
    return this.#series.size;
  }

  /** All there are, for somebody who looks at them all: so it is here that those without drops for an hour are let go. */
  look(): DropSeries[] {
    const nowMs = this.#now();
    for (const series of this.#series.values()) {
      if (series.drops === series.seenDrops) continue;
      series.seenDrops = series.drops;
      series.movedMs = nowMs;
    }
    if (this.#series.size === this.maxSeries) this.#letGo(nowMs - IDLE_MS);
    return [...this.#series.values(), ...this.#folded.values()];
  }

  #letGo(sinceMs: number): void {
    for (const [key, series] of this.#series) if (series.movedMs < sinceMs) this.#series.delete(key);
    this.#generation++;
  }

  #meet(flow: Flow): Series {
    const { attribution, rpf, context } = flow;
    const series = this.#find({
      reason: context.reason ?? '',
      verdict: rpf?.verdict ?? '',
      namespace: attribution.pod?.namespace ?? '',
      pod: attribution.pod?.name ?? '',
      device: context.device.name ?? '',
    });
    this.#known[flow.id] = {
      series,
      generation: this.#generation,
      device: context.device,
      pod: attribution.pod,
      rpf,
    };
    return series;
  }

  #find(labels: DropLabels): Series {
    const key = Object.values(labels).join('\0');
    const known = this.#series.get(key);
    if (known) return known;
    if (this.#series.size < this.maxSeries) return this.#add(this.#series, key, labels);
    const { reason, verdict } = labels;
    const folded = `${reason}\0${verdict}`;
    const others = { reason, verdict, namespace: OTHER, pod: OTHER, device: OTHER };
    return this.#folded.get(folded) ?? this.#add(this.#folded, folded, others);
  }

  #add(to: Map<string, Series>, key: string, labels: DropLabels): Series {
    const nowMs = this.#now();
    const series = { labels, startedMs: nowMs, drops: 0, seenDrops: 0, movedMs: nowMs };
    to.set(key, series);
    return series;
  }
}

/** No name of Kubernetes has an underscore. */
export const OTHER = '_other';
/** A node has some hundred pods; each loses packets on a device or two, for a reason or two. */
export const MAX_SERIES = 2000;
const IDLE_MS = 3_600_000;
