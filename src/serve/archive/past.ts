import { closeSync, createReadStream, openSync, readSync } from 'node:fs';
import type { TraceEvent } from '../../events.js';
import type { EventId } from '../history/event-id.js';
import { type Facts, factsOfEvent } from '../history/facts.js';
import type { Journal } from '../history/journal.js';
import { TIME_WITHIN, timeOfLine } from '../history/search.js';
import type { Encoding } from '../readers/encoding.js';
import type { Missing, Past, PastLoss } from '../readers/reader.js';
import type { Archive } from './archive.js';
import { type ArchivedLine, parseLine } from './line.js';
import type { Segment } from './segment.js';

export interface ArchivePastOptions {
  readonly archive: Archive;
  readonly journal: Journal;
  /** The event after which to begin, or the time at which. */
  readonly since: EventId | string;
  readonly encoding: Encoding;
  readonly selection: ((facts: Facts) => boolean) | undefined;
}

/** What a reader gets from disk before it gets to what is in memory. */
export class ArchivePast implements Past {
  readonly #options: ArchivePastOptions;
  /** The last event that was read, be it wanted or not. */
  #last: { readonly id: EventId; readonly event: TraceEvent | undefined } | undefined;

  constructor(options: ArchivePastOptions) {
    this.#options = options;
    const { since } = options;
    if (typeof since !== 'string') this.#last = { id: since, event: undefined };
  }

  async *read(signal: AbortSignal): AsyncGenerator<Buffer | PastLoss, number> {
    const { journal } = this.#options;
    for (let segment = this.#first(); segment && !signal.aborted; segment = this.#after(segment)) {
      yield* this.#readSegment(segment);
      if (this.#isInMemory()) break;
    }
    const last = this.#last;
    if (last?.id.epoch === journal.epoch) return last.id.number + 1;
    // Nothing of this boot is on disk yet: all of it is still in memory.
    if (last && last.event?.kind !== 'stop')
      yield { missing: UNKNOWN_END, upTo: { epoch: journal.epoch, number: 0 } };
    return 1;
  }

  /** Whether what follows need not be read from disk. */
  #isInMemory(): boolean {
    const { journal } = this.#options;
    const last = this.#last?.id;
    return last?.epoch === journal.epoch && last.number + 1 >= journal.oldestNumber;
  }

  /** The file in which to begin: the last one that begins before. */
  #first(): Segment | undefined {
    const { archive, since } = this.#options;
    const { segments } = archive;
    if (typeof since === 'string')
      return segments.findLast((segment) => startTime(segment) <= since) ?? segments[0];
    return segments.findLast(({ first }) => !isAfter(first, since)) ?? segments[0];
  }

  /** Files may be deleted meanwhile. */
  #after({ path }: Segment): Segment | undefined {
    return this.#options.archive.segments.find((segment) => segment.path > path);
  }

  /** To its end, which may move on meanwhile. */
  async *#readSegment(segment: Segment): AsyncGenerator<Buffer | PastLoss> {
    for (let at = 0; at < segment.bytes && !this.#isInMemory(); ) {
      const end = segment.bytes;
      for await (const lines of wholeLines(segment.path, at, end)) yield* this.#select(lines);
      at = end;
    }
  }

  *#select(lines: readonly string[]): Generator<Buffer | PastLoss> {
    let text = '';
    for (const line of lines) {
      const parsed = parseLine(line);
      if (parsed && this.#isLast(parsed)) this.#last = parsed;
      if (parsed === undefined || !this.#isNew(parsed)) continue;
      const missing = this.#missingBefore(parsed);
      if (missing) {
        if (text !== '') yield Buffer.from(text);
        text = '';
        const { epoch, number } = parsed.id;
        yield { missing, upTo: { epoch, number: number - 1 } };
      }
      this.#last = parsed;
      if (this.#isWanted(parsed)) text += this.#options.encoding.line(`${line}\n`);
    }
    if (text !== '') yield Buffer.from(text);
  }

  /** What the reader had last, of which only the name was known. */
  #isLast({ id }: ArchivedLine): boolean {
    const last = this.#last?.id;
    return last?.epoch === id.epoch && last.number === id.number;
  }

  #isNew({ id, event }: ArchivedLine): boolean {
    const { since } = this.#options;
    if (this.#last) return isAfter(id, this.#last.id);
    return typeof since !== 'string' || (event?.time ?? '') >= since;
  }

  /** Numbers have no gap: where there is one, lines are missing or were not whole. */
  #missingBefore({ id }: ArchivedLine): Missing | undefined {
    const last = this.#last;
    if (last === undefined) return undefined;
    if (last.id.epoch !== id.epoch) {
      if (last.event?.kind === 'stop' && id.number === 1) return undefined;
      return last.event?.kind === 'stop'
        ? { events: id.number - 1, drops: undefined }
        : { ...UNKNOWN_END, events: id.number - 1 };
    }
    const events = id.number - last.id.number - 1;
    return events > 0 ? { events, drops: undefined } : undefined;
  }

  #isWanted({ event }: ArchivedLine): boolean {
    const { selection } = this.#options;
    return selection === undefined || event === undefined || selection(factsOfEvent(event));
  }
}

function isAfter(id: EventId, other: EventId): boolean {
  return id.epoch === other.epoch ? id.number > other.number : id.epoch > other.epoch;
}

/** The time of its first event; the empty text where it cannot be read: then it may be older than anything. */
function startTime({ path }: Segment): string {
  try {
    const fd = openSync(path, 'r');
    const start = Buffer.alloc(TIME_WITHIN);
    readSync(fd, start, 0, TIME_WITHIN, 0);
    closeSync(fd);
    return timeOfLine(start.toString('latin1'));
  } catch {
    return '';
  }
}

/** Lines between two offsets, some at a time. A file that was deleted meanwhile has none: the numbers tell what is missing. */
async function* wholeLines(path: string, start: number, end: number): AsyncGenerator<string[]> {
  let rest = '';
  try {
    const stream = createReadStream(path, { start, end: end - 1, encoding: 'utf8' });
    for await (const text of stream as AsyncIterable<string>) {
      const lines = (rest + text).split('\n');
      rest = lines.pop() as string;
      yield lines;
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

const UNKNOWN_END: Missing = {
  events: 0,
  drops: undefined,
  unknown: 'the server was started again, and what it told last before that is not kept',
};
