import type { Span } from '../history/cursor.js';
import type { Selection } from './selection.js';

/** How events are put into an answer. */
export interface Encoding {
  readonly contentType: string;
  /** What keeps an idle connection alive and is no event. */
  readonly heartbeat: string;
  /** The same, and says up to which event all has been looked at. */
  position(id: string): string;
  /** The lines of a span that are wanted; undefined where none is. What is not a copy must not be written to. */
  span(span: Span, selection: Selection | undefined): Buffer | undefined;
  /** One line, with its newline. */
  line(line: string): string;
}

/** One object a line. */
export const NDJSON: Encoding = {
  contentType: 'application/x-ndjson',
  heartbeat: '\n',
  position: (id) => `{"position":"${id}"}\n`,
  span: ({ chunk, from, to }, selection) => {
    if (selection === undefined) return chunk.bytes.subarray(chunk.startOf(from), chunk.startOf(to));
    const parts = selectedRanges({ chunk, from, to }, selection);
    if (parts.length <= 1) return parts[0];
    return Buffer.concat(parts);
  },
  line: (line) => line,
};

/** Server-sent events, as a browser's EventSource takes them: https://html.spec.whatwg.org/multipage/server-sent-events.html */
export const SERVER_SENT: Encoding = {
  contentType: 'text/event-stream',
  heartbeat: ':\n\n',
  // Without data nothing is dispatched, but what is asked for after a break is what comes behind it.
  position: (id) => `id: ${id}\n\n`,
  span: ({ chunk, from, to }, selection) => {
    let text = '';
    for (let index = from; index < to; index++) {
      if (selection && !selection(chunk.facts[index] as Parameters<Selection>[0])) continue;
      text += serverSent(chunk.bytes.toString('utf8', chunk.startOf(index), chunk.ends[index]));
    }
    return text === '' ? undefined : Buffer.from(text);
  },
  line: serverSent,
};

/** Lines that stand one behind the other, as one. */
function selectedRanges({ chunk, from, to }: Span, selection: Selection): Buffer[] {
  const parts: Buffer[] = [];
  let start: number | undefined;
  for (let index = from; index <= to; index++) {
    const isWanted = index < to && selection(chunk.facts[index] as Parameters<Selection>[0]);
    if (isWanted) start ??= index;
    else if (start !== undefined) {
      parts.push(chunk.bytes.subarray(chunk.startOf(start), chunk.startOf(index)));
      start = undefined;
    }
  }
  return parts;
}

function serverSent(line: string): string {
  const kind = /^\{"v":1,"kind":"([a-z_]+)"/.exec(line)?.[1] ?? 'message';
  const id = /"event_id":"([0-9a-z-]+)"\}\n$/.exec(line)?.[1];
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${kind}\ndata: ${line}\n`;
}
