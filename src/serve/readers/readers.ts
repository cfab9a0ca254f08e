import { TracerError } from '../../errors.js';
import { resolveEventFilters } from '../../filters/filters.js';
import { ReasonNames } from '../../names/reasons.js';
import type { NativeAddon } from '../../native.js';
import type { Archive } from '../archive/archive.js';
import { ArchivePast } from '../archive/past.js';
import { Cursor } from '../history/cursor.js';
import { type EventId, formatEventId } from '../history/event-id.js';
import type { Journal } from '../history/journal.js';
import { firstSince, lastOf, TIME_WITHIN, timeOfLine } from '../history/search.js';
import type { Bell } from './bell.js';
import type { Encoding } from './encoding.js';
import type { EventQuery } from './query.js';
import { type Missing, Reader, type ReaderOptions, type Target } from './reader.js';
import { type Selection, selectionOf } from './selection.js';

export interface ReadersOptions {
  readonly addon: NativeAddon;
  readonly journal: Journal;
  readonly archive: Archive | undefined;
  readonly bell: Bell;
  /** Events carry the labels of pods. */
  readonly labels: boolean;
  readonly max: () => number;
  readonly lostLine: ReaderOptions['lostLine'];
}

/** All who read the stream now. */
export class Readers {
  readonly totals = { opened: 0, refused: 0, lost: 0 };
  readonly #options: ReadersOptions;
  readonly #open = new Set<Reader>();
  #isOver = false;
  #reasonNames: ReasonNames | undefined;

  constructor(options: ReadersOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#open.size;
  }

  /** Events that readers were told are lost to them. */
  get lost(): number {
    return [...this.#open].reduce((sum, { lost }) => sum + lost, this.totals.lost);
  }

  /** No more events come: everybody gets what is still to be read, then the end. */
  end(): void {
    this.#isOver = true;
    this.#options.bell.ringNow();
  }

  /** Throws E_USAGE and the like for what cannot be asked for, E_TOO_MANY when there are too many readers. */
  prepare(query: EventQuery, encoding: Encoding): (target: Target, signal: AbortSignal) => Promise<void> {
    const selection = this.#selectionOf(query);
    const start = this.#startOf(query, encoding, selection);
    if (this.#open.size >= this.#options.max()) {
      this.totals.refused++;
      throw new TracerError('E_TOO_MANY', `there are ${this.#open.size} readers already`);
    }
    const { journal, bell, lostLine } = this.#options;
    return async (target, signal) => {
      const reader = new Reader(
        {
          ...start,
          ...{ encoding, selection, bell, lostLine, follow: query.follow, heartbeatMs: query.heartbeatMs },
          positionOf: query.position
            ? (event) =>
                formatEventId(typeof event === 'number' ? { epoch: journal.epoch, number: event } : event)
            : undefined,
          cursorAt: (number) => new Cursor(journal, number),
          isOver: () => this.#isOver,
        },
        target,
        signal,
      );
      this.totals.opened++;
      this.#open.add(reader);
      try {
        await reader.run();
      } finally {
        this.#open.delete(reader);
        this.totals.lost += reader.lost;
      }
    };
  }

  #selectionOf({ filters, kinds }: EventQuery): Selection | undefined {
    if (filters.selector !== undefined && !this.#options.labels) {
      throw new TracerError(
        'E_USAGE',
        'events of this server carry no labels, so none can be chosen by them',
        {
          remedies: ['start the server with --labels', 'or choose by namespace and pod'],
        },
      );
    }
    return selectionOf(
      resolveEventFilters(() => this.#names, filters),
      kinds,
    );
  }

  /** Read once: the capture waits meanwhile. */
  get #names(): ReasonNames {
    this.#reasonNames ??= ReasonNames.read(this.#options.addon);
    return this.#reasonNames;
  }

  #startOf(
    { since, last }: EventQuery,
    encoding: Encoding,
    selection: Selection | undefined,
  ): Pick<ReaderOptions, 'from' | 'missing'> {
    const { journal, archive } = this.#options;
    if (last !== undefined) return from(lastOf(journal, last, selection));
    if (since === undefined) return from(journal.nextNumber);
    if (typeof since !== 'string' && since.epoch === journal.epoch && since.number >= journal.nextNumber)
      throw new TracerError('E_USAGE', `since names an event that is still to come`);
    if (this.#isRemembered(since))
      return from(typeof since === 'string' ? firstSince(journal, since) : since.number + 1);
    if (archive && archive.segments.length > 0)
      return { from: new ArchivePast({ archive, journal, since, encoding, selection }), missing: undefined };
    if (typeof since === 'string') return from(journal.oldestNumber);
    if (since.epoch === journal.epoch) return from(since.number + 1);
    return { from: journal.oldestNumber, missing: beforeRestart(journal) };
  }

  /** Whether all that is asked for is in memory. */
  #isRemembered(since: EventId | string): boolean {
    const { journal } = this.#options;
    if (typeof since !== 'string')
      return since.epoch === journal.epoch && since.number + 1 >= journal.oldestNumber;
    const oldest = journal.chunks[0];
    return oldest !== undefined && timeOfLine(oldest.bytes.toString('latin1', 0, TIME_WITHIN)) <= since;
  }
}

function from(number: number): Pick<ReaderOptions, 'from' | 'missing'> {
  return { from: number, missing: undefined };
}

function beforeRestart(journal: Journal): Missing {
  return {
    events: journal.oldestNumber - 1,
    drops: undefined,
    unknown: 'the server was started again, and keeps no history on disk',
  };
}
