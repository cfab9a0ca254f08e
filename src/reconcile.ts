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

/** Reverse-path drops of one network namespace. */
export interface Traced {
  readonly netns: number;
  readonly netnsCookie: bigint;
  readonly count: number;
}

/**
 * Holds the reverse-path drops that were traced, by network namespace, against TcpExt IPReversePathFilter. The programs
 * were attached at some moment between two readings and detached between two others, so what the kernel counted in between
 * is known within bounds. They are equal unless there were drops in just these moments.
 *
 * Inode numbers of namespaces that are gone are given to new ones at once, so namespaces are told apart by their cookie
 * where it is known. Where it is not, a counter that is lower than it was shows that it is another's.
 *
 * `unattributed` drops were counted without their namespace: what is missing may be among them.
 */
export function reconcile(
  readings: CounterReadings,
  traced: readonly Traced[],
  unattributed = 0,
): NetnsAccount[] {
  const silent = readings.afterDetach
    .filter((counter) => !traced.some((entry) => isSame(entry, counter)))
    .map(({ netns, netnsCookie }) => ({ netns, netnsCookie, count: 0 }));
  return [...traced, ...silent].flatMap((entry) => {
    const { netns, count } = entry;
    const bounds = netns === 0 ? NAMELESS : boundsOf(entry, readings, traced);
    if (typeof bounds !== 'string')
      return bounds.max > 0 || count > 0 ? [compare(netns, count, bounds, unattributed)] : [];
    return count > 0 ? [{ netns, traced: count, reconciled: null, why: bounds }] : [];
  });
}

interface Named {
  readonly netns: number;
  readonly netnsCookie: bigint;
}

/** native/include/rpf_maps.h has room for so many. */
const NAMELESS = 'counted without their network namespace: it was not known, or too many had drops';

function isSame(a: Named, b: Named): boolean {
  return (
    a.netns === b.netns && (a.netnsCookie === b.netnsCookie || a.netnsCookie === 0n || b.netnsCookie === 0n)
  );
}

/** What the kernel counted: at least, at most. */
interface Bounds {
  readonly min: number;
  readonly max: number;
  readonly isNew: boolean;
}

/** Or why there are none. */
function boundsOf(entry: Named, readings: CounterReadings, traced: readonly Named[]): Bounds | string {
  const find = (counters: readonly NativeNetnsCounter[]) =>
    counters.find((counter) => isSame(entry, counter));
  const last = find(readings.afterDetach);
  if (last === undefined) return 'the network namespace is gone, or was never visible from here';
  const earlier = [readings.beforeAttach, readings.afterAttach, readings.beforeDetach].map(find);
  const unreadable = [...earlier, last].find((reading) => reading?.errno !== undefined);
  if (unreadable) return `its counter cannot be read (errno ${unreadable.errno})`;
  const counts = [...earlier, last].map(countOf) as [number, number, number, number];
  const isUnnamed = last.netnsCookie === 0n && traced.filter(({ netns }) => netns === entry.netns).length > 1;
  if (isUnnamed || counts.some((count, moment) => count < (counts[moment - 1] ?? 0)))
    return 'its inode number was given to another network namespace meanwhile';
  const [beforeAttach, afterAttach, beforeDetach, afterDetach] = counts;
  return {
    min: beforeDetach - afterAttach,
    max: afterDetach - beforeAttach,
    isNew: earlier[0] === undefined,
  };
}

/** A namespace that is not there yet has counted nothing. */
function countOf(counter: NativeNetnsCounter | undefined): number {
  return Number(counter?.reversePathFilter ?? 0n);
}

function compare(
  netns: number,
  traced: number,
  { min, max, isNew }: Bounds,
  unattributed: number,
): NetnsAccount {
  const difference = traced > max ? traced - max : traced < min ? traced - min : 0;
  const isOpen = difference < 0 && -difference <= unattributed;
  const notes = [
    isNew ? 'not visible at the start: counted from 0' : '',
    max > min ? `${max - min} of the kernel's drops fell into attaching or detaching` : '',
    isOpen ? `may be among the ${unattributed} drops that were counted without their network namespace` : '',
    difference === 0 || isOpen ? '' : 'kernel and trace disagree',
  ].filter((note) => note !== '');
  return {
    netns,
    kernel: max,
    traced,
    difference,
    ...(max > min && { window: max - min }),
    reconciled: isOpen ? null : difference === 0,
    ...(notes.length > 0 && { why: notes.join('; ') }),
  };
}
