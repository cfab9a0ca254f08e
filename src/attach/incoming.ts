import type { EventId } from '../serve/history/event-id.js';
import type { FollowOptions, Gap } from './follow-options.js';
import { parseLine, type Received } from './received.js';

export interface IncomingOptions extends Pick<Required<FollowOptions>, 'onEvent' | 'onPosition'> {
  /** All up to there had come before. */
  readonly after: EventId | undefined;
  /** It has become clear what is missing since then. */
  readonly onResumed: (missing: Gap) => void;
}

/** The lines of one connection: where they go on, what is missing before them, and what has been told already. */
export class Incoming {
  readonly #options: IncomingOptions;
  #after: EventId | undefined;
  #missing: Gap | undefined = { events: 0 };
  /** The position that comes next is that of a loss: what follows may be old. */
  #isBehindLoss = false;
  isStop = false;

  constructor(options: IncomingOptions) {
    this.#options = options;
    this.#after = options.after;
  }

  /** All up to there has come. */
  get after(): EventId | undefined {
    return this.#after;
  }

  /** Throws NotOurs for what is none of our lines. */
  take(text: string): void {
    const line = parseLine(text);
    if (line.kind === 'position') this.#reach(line.id);
    else if (line.kind === 'event') this.#event(line.received);
  }

  #reach(id: EventId): void {
    this.#after = id;
    this.#settle();
    if (!this.#isBehindLoss) this.#options.onPosition(id);
    this.#isBehindLoss = false;
  }

  #event(received: Received): void {
    const { id, event, kind } = received;
    if (id && this.#isOld(id)) return;
    this.isStop = kind === 'stop';
    const loss = event?.kind === 'lost' && event.where === 'reader' ? event : undefined;
    this.#isBehindLoss = loss !== undefined;
    if (loss) this.#miss(loss.count, loss.count_unknown);
    else this.#settle();
    this.#options.onEvent(received);
    if (id) this.#after = id;
  }

  #isOld({ epoch, number }: EventId): boolean {
    return this.#after?.epoch === epoch && number <= this.#after.number;
  }

  #miss(events: number, unknown: string | undefined): void {
    if (this.#missing === undefined) return;
    this.#missing = { events: this.#missing.events + events, unknown: this.#missing.unknown ?? unknown };
  }

  /** What was missing before the first event is told at once; what is lost later stands in the stream. */
  #settle(): void {
    if (this.#missing) this.#options.onResumed(this.#missing);
    this.#missing = undefined;
  }
}
