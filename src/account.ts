import type { StopEvent } from './events.js';
import { type ReasonNames, reasonOfFilter } from './names/reasons.js';
import type { NativeStats, NativeTotal } from './native.js';
import { type CounterReadings, reconcile, type Traced } from './reconcile.js';

/** Everything that the last word of a trace is made from. */
export interface Books {
  readonly stats: NativeStats;
  readonly totals: readonly NativeTotal[];
  readonly reasons: ReasonNames;
  readonly readings: CounterReadings;
  /** The only namespaces that were asked for. Others are accounted for where they can be. */
  readonly netns?: readonly number[] | undefined;
  /** Drops that went to the sinks, in how many events. */
  readonly emitted: number;
  readonly events: number;
  readonly discarded: number;
  readonly malformed: number;
}

export type Account = Pick<
  StopEvent,
  'totals' | 'reasons' | 'namespaces' | 'conservation' | 'reconciled' | 'reconciled_unknown' | 'netns'
>;

/** Adds up what happened to every drop, and holds it against the kernel's own counters. */
export function account(books: Books): Account {
  const totals = totalsOf(books);
  const difference = totals.matched - totals.emitted - totals.lost - totals.discarded;
  const rpfilter = reasonOfFilter(books.reasons, books.stats);
  const traced = tracedByNetns(books.totals, rpfilter);
  const netns = reconcile(books.readings, traced, unattributed(books.totals, rpfilter)).filter(
    ({ netns, reconciled }) => books.netns === undefined || books.netns.includes(netns) || reconciled,
  );
  const verdict = verdictOf(netns, difference === 0, rpfilter !== undefined);
  return {
    totals,
    reasons: sumBy(books.totals, (total) => total.reason).map(([reason, sums]) => ({
      reason: books.reasons.name(reason),
      ...sums,
    })),
    namespaces: sumBy(books.totals, (total) => total.netns).map(([inum, sums]) => ({ netns: inum, ...sums })),
    conservation: { holds: difference === 0, difference },
    ...verdict,
    netns,
  };
}

function totalsOf({ stats, emitted, events, discarded, malformed }: Books): StopEvent['totals'] {
  return {
    seen: Number(stats.seen),
    matched: Number(stats.matched),
    emitted,
    events,
    lost: Number(stats.lost),
    recursion: Number(stats.recursion),
    discarded,
    malformed,
  };
}

function tracedByNetns(totals: readonly NativeTotal[], rpfilter: number | undefined): Traced[] {
  return totals
    .filter((total) => total.reason === rpfilter)
    .map(({ netns, netnsCookie, seen }) => ({ netns, netnsCookie, count: Number(seen) }));
}

/** Drops by rp_filter, or by who knows what, for whose namespace the totals had no place left, native/include/rpf_maps.h. */
function unattributed(totals: readonly NativeTotal[], rpfilter: number | undefined): number {
  const found = totals.filter(({ netns, reason }) => netns === 0 && (reason === 0 || reason === rpfilter));
  return found.reduce((sum, { seen }) => sum + Number(seen), 0);
}

function verdictOf(
  netns: Account['netns'],
  isConserved: boolean,
  hasReason: boolean,
): Pick<Account, 'reconciled' | 'reconciled_unknown'> {
  if (!isConserved || netns.some((entry) => entry.reconciled === false)) return { reconciled: false };
  if (!hasReason) {
    return {
      reconciled: null,
      reconciled_unknown: 'nothing tells which drops are of rp_filter on this kernel',
    };
  }
  if (netns.every((entry) => entry.reconciled)) return { reconciled: true };
  return { reconciled: null, reconciled_unknown: 'some network namespaces could not be compared' };
}

interface Sums {
  seen: number;
  matched: number;
  lost: number;
}

/** The largest first. */
function sumBy(totals: readonly NativeTotal[], keyOf: (total: NativeTotal) => number): [number, Sums][] {
  const sums = new Map<number, Sums>();
  for (const total of totals) {
    const sum = sums.get(keyOf(total)) ?? { seen: 0, matched: 0, lost: 0 };
    sum.seen += Number(total.seen);
    sum.matched += Number(total.matched);
    sum.lost += Number(total.lost);
    sums.set(keyOf(total), sum);
  }
  return [...sums].sort(([, a], [, b]) => b.seen - a.seen);
}
