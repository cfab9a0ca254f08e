import { type EventId, formatEventId } from '../serve/history/event-id.js';

/** Which events are asked for: the parameters of /v1/events, in its words. What is wrong with them the server says. */
export interface Question {
  readonly filters: Readonly<Partial<Record<FilterName, string | readonly string[]>>>;
  /** An event_id, a time, or how long ago. */
  readonly since?: string | undefined;
  readonly last?: string | undefined;
  readonly follow: boolean;
}

export type FilterName =
  | 'kind'
  | 'reason'
  | 'device'
  | 'netns'
  | 'namespace'
  | 'pod'
  | 'selector'
  | 'rpf_only';

/** The path with its query. `after`: what was got already, after which to go on. */
export function eventsPath(question: Question, after: EventId | undefined, heartbeatMs: number): string {
  const { filters, since, last, follow } = question;
  const query = new URLSearchParams();
  for (const [name, values] of Object.entries(filters))
    for (const value of [values ?? []].flat()) query.append(name, value);
  if (after) query.set('since', formatEventId(after));
  else if (since !== undefined) query.set('since', since);
  else if (last !== undefined) query.set('last', last);
  if (follow) query.set('position', 'true');
  else query.set('follow', 'false');
  query.set('heartbeat', String(heartbeatMs / 1000));
  return `/v1/events?${query}`;
}
