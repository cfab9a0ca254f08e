import { Heap } from './heap.js';

/** Where an event stands among the others. Times in ms since 1970. */
export interface Standing {
  /** Where it stands in the order: its own time, or that of its arrival where its clock is ahead of ours. */
  readonly keyMs: number;
  /** Later ones have been let go already. */
  readonly isLate: boolean;
  /** How far its clock is ahead of ours, at least; 0: not at all, as far as one can see. */
  readonly aheadMs: number;
}

/** Puts the events of many streams in the order of their times, by keeping each for a while. */
export class HoldBack<T> {
  readonly #heap = new Heap<Held<T>>(isBefore);
  #bytes = 0;
  #serial = 0;
  #passedMs = Number.NEGATIVE_INFINITY;

  get size(): number {
    return this.#heap.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** `time`: RFC 3339 with nine digits after the point, as events have it. */
  add(item: T, time: string, bytes: number, nowMs: number): Standing {
    const told = Date.parse(time);
    const timeMs = Number.isNaN(told) ? nowMs : told;
    const keyMs = Math.min(timeMs, nowMs);
    const isLate = keyMs < this.#passedMs;
    const keyNs = keyMs === timeMs ? nsWithin(time) : 0;
    this.#heap.push({ item, keyMs, keyNs, bytes, serial: this.#serial++ });
    this.#bytes += bytes;
    return { keyMs, isLate, aheadMs: timeMs - keyMs };
  }

  /** Lets go, in their order, of those up to this time, until `take` returns false. */
  release(untilMs: number, take: (item: T) => boolean): void {
    for (let first = this.#heap.first; first && first.keyMs <= untilMs; first = this.#heap.first) {
      this.#heap.shift();
      this.#bytes -= first.bytes;
      this.#passedMs = Math.max(this.#passedMs, first.keyMs);
      if (!take(first.item)) return;
    }
  }
}

/** Without the text of its time: there are many of them. */
interface Held<T> {
  readonly item: T;
  readonly keyMs: number;
  /** Nanoseconds within the millisecond. */
  readonly keyNs: number;
  readonly bytes: number;
  /** Of what happened at the same time, the first that came is the first that goes. */
  readonly serial: number;
}

function isBefore<T>(a: Held<T>, b: Held<T>): boolean {
  if (a.keyMs !== b.keyMs) return a.keyMs < b.keyMs;
  return a.keyNs === b.keyNs ? a.serial < b.serial : a.keyNs < b.keyNs;
}

/** Of "2026-11-22T09:49:05.123456789Z" the last six digits. */
function nsWithin(time: string): number {
  return Number(time.slice(NS_FROM, NS_TO)) || 0;
}

const NS_FROM = '2026-11-22T09:49:05.123'.length;
const NS_TO = NS_FROM + 6;
