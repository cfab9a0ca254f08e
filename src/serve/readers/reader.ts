import type { Cursor, Loss, Span } from '../history/cursor.js';
import type { EventId } from '../history/event-id.js';
import type { Bell } from './bell.js';
import type { Encoding } from './encoding.js';
import type { Selection } from './selection.js';

/** Where a reader's bytes go. */
export interface Target {
  /** Resolves when it takes more; rejects when it is gone. `done`: nobody needs the bytes any more. */
  write(bytes: Buffer | string, done?: () => void): Promise<void>;
}

/** What was kept on disk, before the memory. */
export interface Past {
  /** Lines, or what is missing between them; ends with the number of the event that follows in the memory. */
  read(signal: AbortSignal): AsyncGenerator<Buffer | PastLoss, number>;
}

export interface PastLoss {
  readonly missing: Missing;
  /** It is all up to there: the event before the one that follows, of whichever boot. */
  readonly upTo: EventId;
}

export interface Missing extends Loss {
  /** Why there may be more. */
  readonly unknown?: string | undefined;
}

export interface ReaderOptions {
  readonly cursorAt: (number: number) => Cursor;
  /** Number of the first event in the memory, or what comes before. */
  readonly from: number | Past;
  /** Known to be missing before the first event. */
  readonly missing: Missing | undefined;
  readonly encoding: Encoding;
  readonly selection: Selection | undefined;
  /** Goes on with what is still to come. */
  readonly follow: boolean;
  /** How often an idle stream says that it is there; undefined: never. */
  readonly heartbeatMs: number | undefined;
  /** The event_id of an event of this boot by its number, or of another, for who wants to be told where the stream is. */
  readonly positionOf: ((event: number | EventId) => string) | undefined;
  readonly bell: Bell;
  /** No more events will come. */
  readonly isOver: () => boolean;
  /** The line of a `lost` event that is this reader's own. */
  readonly lostLine: (missing: Missing) => string;
}

/** Gives one reader its events, in their order, at its own pace. It waits for nobody else and nobody waits for it. */
export class Reader {
  /** Told to it as lost. */
  lost = 0;
  readonly #options: ReaderOptions;
  readonly #target: Target;
  readonly #signal: AbortSignal;
  /** Nothing is on its way to the target. */
  #isIdle = true;
  /** There, where it waits for more; else it is on its way there. */
  #waitsAt: number | undefined;
  #isPlaced = false;

  constructor(options: ReaderOptions, target: Target, signal: AbortSignal) {
    this.#options = options;
    this.#target = target;
    this.#signal = signal;
  }

  /** Resolves at the end of the stream; rejects when the target is gone. */
  async run(): Promise<void> {
    const { heartbeatMs } = this.#options;
    const timer = heartbeatMs === undefined ? undefined : setInterval(() => this.#beat(), heartbeatMs);
    try {
      await this.#run();
    } finally {
      clearInterval(timer);
    }
  }

  async #run(): Promise<void> {
    const { missing, from, cursorAt, follow, isOver } = this.#options;
    if (missing) await this.#tellLoss(missing, typeof from === 'number' ? from - 1 : undefined);
    const cursor = cursorAt(typeof from === 'number' ? from : await this.#readPast(from));
    while (!this.#signal.aborted) {
      const loss = cursor.takeLoss();
      const span = loss ? undefined : cursor.next();
      if (loss) await this.#tellLoss(loss, cursor.number - 1);
      else if (span) await this.#pass(span);
      // Nothing may come between having found nothing and waiting: what comes then wakes nobody.
      else if (follow && !isOver()) await this.#waitForMore(cursor.number);
      else return;
    }
  }

  async #readPast(past: Past): Promise<number> {
    const pieces = past.read(this.#signal);
    try {
      for (;;) {
        const { done, value } = await pieces.next();
        if (done) return value;
        if (Buffer.isBuffer(value)) await this.#write(value);
        else await this.#tellLoss(value.missing, value.upTo);
      }
    } finally {
      await pieces.return(0); // who is gone has a file open
    }
  }

  async #pass(span: Span): Promise<void> {
    const { encoding, selection } = this.#options;
    const bytes = encoding.span(span, selection);
    if (bytes === undefined) return;
    const { chunk } = span;
    chunk.pins++;
    await this.#write(bytes, () => chunk.pins--);
  }

  async #waitForMore(number: number): Promise<void> {
    this.#waitsAt = number;
    const more = this.#options.bell.wait(this.#signal);
    if (!this.#isPlaced && this.#options.positionOf) this.#beat();
    this.#isPlaced = true;
    await more;
    this.#waitsAt = undefined;
  }

  /** Not while the other side does not read: nothing is queued for it. */
  #beat(): void {
    if (this.#isIdle) this.#write(this.#heartbeat()).catch(() => undefined);
  }

  #heartbeat(): string {
    const { encoding, positionOf } = this.#options;
    if (positionOf === undefined || this.#waitsAt === undefined) return encoding.heartbeat;
    return encoding.position(positionOf(this.#waitsAt - 1));
  }

  async #write(bytes: Buffer | string, done?: () => void): Promise<void> {
    this.#isIdle = false;
    await this.#target.write(bytes, done);
    this.#isIdle = true;
  }

  /** `upTo`: what was lost is known to be all up to there. Who comes back behind it is not told of it again. */
  async #tellLoss(missing: Missing, upTo?: number | EventId): Promise<void> {
    this.lost += missing.events;
    const { encoding, lostLine, positionOf } = this.#options;
    const position = upTo === undefined || !positionOf ? '' : encoding.position(positionOf(upTo));
    await this.#write(encoding.line(lostLine(missing)) + position);
  }
}
