import { TracerError } from '../../errors.js';
import type { TraceEvent } from '../../events.js';
import type { FilterSpec } from '../../filters/filters.js';
import { printable } from '../../printable.js';
import { didYouMean } from '../../suggest.js';
import { type EventId, parseEventId } from '../history/event-id.js';

/** Which events a reader asks for, in words: the query of a request. */
export interface EventQuery {
  readonly filters: FilterSpec;
  readonly kinds: readonly TraceEvent['kind'][];
  /** The event after which to begin, or the time at which (RFC 3339, as in events). */
  readonly since: EventId | string | undefined;
  /** How many of the newest to begin with. */
  readonly last: number | undefined;
  readonly follow: boolean;
  readonly heartbeatMs: number | undefined;
  /** Say where the stream is whenever it has come to the newest event. */
  readonly position: boolean;
}

/** Throws E_USAGE. */
export function parseEventQuery(query: URLSearchParams): EventQuery {
  checkKeys(query);
  const { since, last } = { since: query.get('since'), last: query.get('last') };
  if (since !== null && last !== null) throw usage('since and last exclude each other');
  return {
    filters: {
      reasons: query.getAll('reason'),
      rpfOnly: parseFlag(query, 'rpf_only', false),
      devices: query.getAll('device'),
      netns: query.getAll('netns'),
      namespaces: query.getAll('namespace'),
      pods: query.getAll('pod'),
      ...(query.has('selector') && { selector: query.get('selector') as string }),
    },
    kinds: query.getAll('kind').map(parseKind),
    since: since === null ? undefined : parseSince(since),
    last: parseNumber(query, 'last', MAX_LAST),
    follow: parseFlag(query, 'follow', true),
    heartbeatMs: parseHeartbeat(query),
    position: parseFlag(query, 'position', false),
  };
}

function checkKeys(query: URLSearchParams): void {
  if (query.size > MAX_PARAMETERS) throw usage(`more than ${MAX_PARAMETERS} parameters`);
  for (const key of new Set(query.keys())) {
    const isMany = MANY.includes(key);
    if (!isMany && !ONCE.includes(key)) {
      const hint = didYouMean(key, [...MANY, ...ONCE]);
      throw usage(`there is no parameter ${printable(key.slice(0, 64))}${printable(hint)}`);
    }
    if (!isMany && query.getAll(key).length > 1) throw usage(`${key} is given more than once`);
  }
}

function parseFlag(query: URLSearchParams, key: string, otherwise: boolean): boolean {
  const text = query.get(key);
  if (text === null) return otherwise;
  if (text === '' || text === 'true' || text === '1') return true;
  if (text === 'false' || text === '0') return false;
  throw usage(`${key} is ${printable(text.slice(0, 64))}: give true or false`);
}

function parseNumber(query: URLSearchParams, key: string, max: number): number | undefined {
  const text = query.get(key);
  if (text === null) return undefined;
  if (/^[1-9]\d{0,8}$/.test(text) && Number(text) <= max) return Number(text);
  throw usage(`${key} is ${printable(text.slice(0, 64))}: give a whole number from 1 to ${max}`);
}

function parseHeartbeat(query: URLSearchParams): number | undefined {
  const seconds = parseNumber(query, 'heartbeat', MAX_HEARTBEAT);
  return seconds === undefined ? undefined : seconds * 1000;
}

function parseKind(text: string): TraceEvent['kind'] {
  const kind = KINDS.find((one) => one === text);
  if (kind) return kind;
  throw usage(
    `there is no kind of event ${printable(text.slice(0, 64))}${printable(didYouMean(text, KINDS))}`,
  );
}

/** An event_id, a time, or how long ago: "10m". */
function parseSince(text: string): EventId | string {
  const id = parseEventId(text);
  if (id) return id;
  const ago = AGO.exec(text);
  const ms = ago ? Date.now() - Number(ago[1]) * UNITS[ago[2] as keyof typeof UNITS] : Date.parse(text);
  if (ago || (TIME.test(text) && Number.isFinite(ms))) return timeText(text, ms, ago !== null);
  throw usage(
    `since is ${printable(text.slice(0, 64))}: give an event_id, a time (2026-11-22T09:49:05Z), or how long ago (10m)`,
  );
}

/** Nine digits after the point, as events have them: texts are compared. */
function timeText(text: string, ms: number, isAgo: boolean): string {
  const second = new Date(ms).toISOString().slice(0, 19);
  const fraction = isAgo ? '' : (/\.(\d{1,9})/.exec(text)?.[1] ?? '');
  return `${second}.${fraction.padEnd(9, '0')}Z`;
}

function usage(message: string): TracerError {
  return new TracerError('E_USAGE', message, { remedies: ['see docs/serve.md'] });
}

const MANY = ['kind', 'reason', 'device', 'netns', 'namespace', 'pod'];
const ONCE = ['rpf_only', 'selector', 'since', 'last', 'follow', 'heartbeat', 'position'];
const KINDS: readonly TraceEvent['kind'][] = ['start', 'drop', 'sysctl_change', 'incident', 'lost', 'stop'];
const MAX_PARAMETERS = 128;
const MAX_LAST = 1_000_000;
const MAX_HEARTBEAT = 3600;
const AGO = /^(\d{1,9})(s|m|h|d)$/;
const UNITS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/;
