import { grouped } from '../../grouped.js';
import { printable } from '../../printable.js';
import type { Member } from './member.js';
import { whyOf } from './roll-call.js';

/** What has become of a fleet. */
export interface FleetReport {
  readonly members: number;
  /** Those that were followed and are wanted no more. */
  readonly left: number;
  readonly events: number;
  readonly late: number;
  /** Those that were let go before their window was over: there was no room for them. */
  readonly early: number;
  readonly missing: number;
  readonly silent: readonly Member[];
  /** Those with a clock that is ahead of ours. */
  readonly ahead: readonly Member[];
  readonly slowest: Member | undefined;
}

/** Adds up what members tell, of those that have left too. */
export class Tally {
  #left = 0;
  #events = 0;
  #late = 0;
  #missing = 0;

  leave({ events, late, missing }: Member): void {
    this.#left++;
    this.#events += events;
    this.#late += late;
    this.#missing += missing;
  }

  report(members: readonly Member[]): Omit<FleetReport, 'early'> {
    const sum = (key: 'events' | 'late' | 'missing') =>
      members.reduce((total, member) => total + member[key], 0);
    const byLate = [...members].filter(({ late }) => late > 0).sort((a, b) => b.late - a.late);
    return {
      members: members.length,
      left: this.#left,
      events: this.#events + sum('events'),
      late: this.#late + sum('late'),
      missing: this.#missing + sum('missing'),
      silent: members.filter(({ state }) => state.kind === 'silent' || (state.kind === 'ended' && state.why)),
      ahead: members.filter(({ aheadMs }) => aheadMs > AHEAD_MS),
      slowest: byLate[0],
    };
  }
}

/** Lines for stderr. */
export function reportLines(report: FleetReport): string[] {
  const { members, left, events, late, early, missing, silent, ahead, slowest } = report;
  const gone = left > 0 ? `, ${grouped(left)} left meanwhile` : '';
  const lines = [`rpftrace: ${grouped(events)} events of ${grouped(members)} nodes${gone}`];
  if (missing > 0)
    lines.push(`  ${grouped(missing)} events are missing: they were read too slowly, or too late`);
  if (late > 0 && slowest)
    lines.push(
      `  ${grouped(late)} events came late and stand behind later ones; most from ${printable(slowest.name)}: ${grouped(slowest.late)}`,
    );
  if (early > 0)
    lines.push(
      `  ${grouped(early)} events were put in order among fewer others: more came within the window than are held`,
    );
  for (const member of ahead.slice(0, NAMED))
    lines.push(
      `  the clock of ${printable(member.name)} is ${(member.aheadMs / 1000).toFixed(1)} s ahead of ours`,
    );
  if (silent.length === 0) return lines;
  lines.push(`  silent at the end: ${grouped(silent.length)}`);
  for (const member of silent.slice(0, NAMED))
    lines.push(`    ${printable(member.name)} since ${timeText(member.sinceMs)}: ${whyOf(member)}`);
  if (silent.length > NAMED) lines.push(`    and ${grouped(silent.length - NAMED)} more`);
  return lines;
}

function timeText(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

/** Clocks that are kept in step are closer than that. */
const AHEAD_MS = 1000;
const NAMED = 20;
