import { event as eventSchema, type TraceEvent } from '../events.js';
import { printable } from '../printable.js';
import { type EventId, parseEventId } from '../serve/history/event-id.js';
import { NotOurs } from './not-ours.js';

/** A line of a stream of events. */
export type Line =
  | { readonly kind: 'heartbeat' }
  /** All up to this event has been looked at. */
  | { readonly kind: 'position'; readonly id: EventId }
  | { readonly kind: 'event'; readonly received: Received };

export interface Received {
  /** The line as it came, without its newline. */
  readonly text: string;
  /** Undefined for an event of the reader's own: it has no number. */
  readonly id: EventId | undefined;
  readonly kind: string;
  /** Undefined where it is none that this version knows: of a newer server. */
  readonly event: TraceEvent | undefined;
}

/** Throws NotOurs for what no server of ours sends. */
export function parseLine(text: string): Line {
  if (text === '') return { kind: 'heartbeat' };
  const value = parseObject(text);
  const position = idOf(value.position);
  if (position) return { kind: 'position', id: position };
  if (value.v !== VERSION || typeof value.kind !== 'string') throw notOurs(text);
  return {
    kind: 'event',
    received: { text, id: idOf(value.event_id), kind: value.kind, event: understood(value) },
  };
}

/** A received event in a fraction of the memory: its objects take several times as much as its text. */
export interface Packed {
  readonly text: string;
  /** It is one that this version knows. */
  readonly isKnown: boolean;
}

export function pack({ text, event }: Received): Packed {
  return { text, isKnown: event !== undefined };
}

/** What was packed, as it was. */
export function unpack({ text, isKnown }: Packed): Received {
  const value = parseObject(text);
  const event = isKnown ? (value as TraceEvent) : undefined;
  return { text, id: idOf(value.event_id), kind: value.kind as string, event };
}

/** Bytes that a packed event takes, with what is kept beside it. */
export function packedBytes({ text }: Packed): number {
  // A text with letters beyond Latin-1 has two bytes for each of them all.
  const isAscii = Buffer.byteLength(text) === text.length;
  return (isAscii ? text.length : 2 * text.length) + BESIDE_BYTES;
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // said below
  }
  throw notOurs(text);
}

function idOf(value: unknown): EventId | undefined {
  return typeof value === 'string' ? parseEventId(value) : undefined;
}

/** Undefined for what is no event as it should be. Keys that a newer server has added do no harm: all that is known of the event is as it should be. */
export function understood(value: object): TraceEvent | undefined {
  const { success, error } = eventSchema.safeParse(value);
  const isKnown = success || error.issues.every(({ code }) => code === 'unrecognized_keys');
  return isKnown ? (value as TraceEvent) : undefined;
}

function notOurs(text: string): NotOurs {
  return new NotOurs(`sent what is no event, "${printable(text.slice(0, SHOWN))}"`);
}

/** Of the events' format. */
const VERSION = 1;
const SHOWN = 80;
/** Of V8 for the objects that hold a text in its place: some 150, of which a part is shared. */
const BESIDE_BYTES = 160;
