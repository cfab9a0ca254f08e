import type { StopEvent } from './events.js';
import type { NativeNetnsCounter } from './native.js';

export type NetnsAccount = StopEvent['netns'][number];

/** The kernel's counters of all visible network namespaces at the four moments that bound what was traced. */
export interface CounterReadings {
  readonly beforeAttach: readonly NativeNetnsCounter[];
  readonly afterAttach: readonly NativeNetnsCounter[];
  readonly beforeDetach: readonly NativeNetnsCounter[];
  readonly afterDetach: readonly NativeNetnsCounter[];
}

/**
 * Holds the reverse-path drops that were traced, by network namespace, against TcpExt IPReversePathFilter. The programs
 * were attached at some moment between two readings and detached between two others, so what the kernel counted in between
 * is known within bounds. They are equal unless there were drops in just these moments.
 */
export function reconcile(readings: CounterReadings, traced: ReadonlyMap<number, number>): NetnsAccount[] {
  const moments = {
    beforeAttach: byNetns(readings.beforeAttach),
    afterAttach: byNetns(readings.afterAttach),
    beforeDetach: byNetns(readings.beforeDetach),
    afterDetach: byNetns(readings.afterDetach),
  };
  const inums = [...new Set([...traced.keys(), ...moments.afterDetach.keys()])];
  return inums.flatMap((netns) => {
    const count = traced.get(netns) ?? 0;
    const bounds = boundsOf(netns, moments);
    if (typeof bounds !== 'string') return bounds.max > 0 || count > 0 ? [compare(netns, count, bounds)] : [];
    return count > 0 ? [{ netns, traced: count, reconciled: null, why: bounds }] : [];
  });
}

/** What the kernel counted: at least, at most. */
interface Bounds {
  readonly min: number;
  readonly max: number;
  readonly isNew: boolean;
}

type Moments = Record<keyof CounterReadings, ReadonlyMap<number, NativeNetnsCounter>>;

function byNetns(counters: readonly NativeNetnsCounter[]): Map<number, NativeNetnsCounter> {
  return new Map(counters.map((counter) => [counter.netns, counter]));
}

/** Or why there are none. */
function boundsOf(netns: number, moments: Moments): Bounds | string {
  const last = moments.afterDetach.get(netns);
  if (last === undefined) return 'the network namespace is gone, or was never visible from here';
  const readings = [moments.beforeAttach, moments.afterAttach, moments.beforeDetach].map((at) =>
    at.get(netns),
  );
  const unreadable = [...readings, last].find((reading) => reading?.errno !== undefined);
  if (unreadable) return `its counter cannot be read (errno ${unreadable.errno})`;
  const [beforeAttach, afterAttach, beforeDetach] = readings.map(countOf) as [number, number, number];
  return {
    min: Math.max(beforeDetach - afterAttach, 0),
    max: countOf(last) - beforeAttach,
    isNew: readings[0] === undefined,
  };
}

/** A namespace that is not there yet has counted nothing. */
function countOf(counter: NativeNetnsCounter | undefined): number {
  return Number(counter?.reversePathFilter ?? 0n);
}

function compare(netns: number, traced: number, { min, max, isNew }: Bounds): NetnsAccount {
  const difference = traced > max ? traced - max : traced < min ? traced - min : 0;
  const notes = [
    isNew ? 'not visible at the start: counted from 0' : '',
    max > min ? `${max - min} of the kernel's drops fell into attaching or detaching` : '',
    difference === 0 ? '' : 'kernel and trace disagree',
  ].filter((note) => note !== '');
  return {
    netns,
    kernel: max,
    traced,
    difference,
    ...(max > min && { window: max - min }),
    reconciled: difference === 0,
    ...(notes.length > 0 && { why: notes.join('; ') }),
  };
}
