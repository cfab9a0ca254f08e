import type { Facts } from './facts.js';
import type { Journal } from './journal.js';

/** Number of the first event from this time on (RFC 3339, as in events); nextNumber where there is none. */
export function firstSince(journal: Journal, time: string): number {
  for (const chunk of journal.chunks) {
    for (let index = 0; index < chunk.count; index++) {
      const at = chunk.startOf(index);
      if (timeOfLine(chunk.bytes.toString('latin1', at, at + TIME_WITHIN)) >= time)
        return chunk.firstNumber + index;
    }
  }
  return journal.nextNumber;
}

/** Number of the `count`th last of the events that are wanted; of the oldest one where there are not so many. */
export function lastOf(
  journal: Journal,
  count: number,
  wants: ((facts: Facts) => boolean) | undefined,
): number {
  let left = count;
  for (const chunk of [...journal.chunks].reverse()) {
    for (let index = chunk.count - 1; index >= 0; index--) {
      if (wants === undefined || wants(chunk.facts[index] as Facts)) left--;
      if (left === 0) return chunk.firstNumber + index;
    }
  }
  return journal.oldestNumber;
}

/** The time that the line of an event says; the empty text where it is none. All begin with v, kind and time. */
export function timeOfLine(start: string): string {
  return TIME.exec(start)?.[1] ?? '';
}

const TIME = /^\{"v":1,"kind":"[a-z_]+","time":"([^"]+)"/;
/** Bytes within which the time of an event ends. */
export const TIME_WITHIN = 96;
