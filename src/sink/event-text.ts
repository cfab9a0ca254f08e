import type { DropEvent, LostEvent, StopEvent, TraceEvent } from '../events.js';
import { grouped } from '../grouped.js';
import { changeText } from '../incident/summary.js';

/** An event that is no drop in one sentence for people. Names in it are as they are: not yet safe for a terminal. */
export function eventText(event: Exclude<TraceEvent, DropEvent>): string {
  switch (event.kind) {
    case 'start':
      return `rpftrace ${event.version} is attached on ${event.node}, Linux ${event.kernel}`;
    case 'sysctl_change':
      return changeText(event, '') + (event.outcome === 'changed' ? '' : `: ${event.outcome}`);
    case 'incident':
      return `${event.id}${event.state === 'closed' ? ' closed' : ''}: ${event.summary}`;
    case 'lost':
      return lostText(event);
    case 'stop':
      return stopText(event);
  }
}

export function lostText({ where, count, count_unknown: unknown, drops }: LostEvent): string {
  if (where === 'reader') {
    const told = drops === undefined ? '' : `, which told of ${drops} drops,`;
    return `${count} events${told} did not get here: ${unknown ?? 'they were read too slowly, or too late'}`;
  }
  if (where === 'sysctl') return `${count} writes to settings went unseen: there were too many at a time`;
  const cause = where === 'ring' ? 'the reader was too slow' : 'they happened inside of the tracer';
  return `${count} drops lost: ${cause}`;
}

function stopText({ totals, reconciled }: StopEvent): string {
  const agrees = reconciled === true ? ', in agreement with the kernel’s own counter' : '';
  return `rpftrace ends: ${grouped(totals.emitted)} drops, ${grouped(totals.lost)} lost${agrees}`;
}
