import type { TraceEvent } from '../../events.js';
import { type EventId, parseEventId } from '../history/event-id.js';

export interface ArchivedLine {
  readonly id: EventId;
  readonly event: TraceEvent;
}

/** A line of the history on disk; undefined for what is not a whole one. */
export function parseLine(line: string): ArchivedLine | undefined {
  const id = parseEventId(END.exec(line)?.[1] ?? '');
  if (id === undefined) return undefined;
  try {
    return { id, event: JSON.parse(line) as TraceEvent };
  } catch {
    return undefined;
  }
}

const END = /"event_id":"([^"]+)"\}$/;
