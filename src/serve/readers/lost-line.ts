import type { LostEvent } from '../../events.js';
import type { Missing } from './reader.js';

/** What one reader is told of events that it did not get, in its stream. */
export function lostLine(
  { events, drops, unknown }: Missing,
  { time, node }: Pick<LostEvent, 'time' | 'node'>,
): string {
  const event: LostEvent = {
    ...{ v: 1, kind: 'lost', time, node },
    where: 'reader',
    count: events,
    count_unknown: unknown,
    drops,
  };
  return `${JSON.stringify(event)}\n`;
}
