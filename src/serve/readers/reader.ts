import type { Cursor, Loss, Span } from '../history/cursor.js';
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
  read(signal: AbortSignal): AsyncGenerator<Buffer | Missing, number>;
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
  #isWaiting = false;

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
    if (missing) await this.#tellLoss(missing);
    const cursor = cursorAt(typeof from === 'number' ? from : await this.#readPast(from));
    while (!this.#signal.aborted) {
      const loss = cursor.takeLoss();
      const span = loss ? undefined : cursor.next();
      if (loss) await this.#tellLoss(loss);
      else if (span) await this.#pass(span);
      // Nothing may come between having found nothing and waiting: what comes then wakes nobody.
      else if (follow && !isOver()) await this.#waitForMore();
      else return;
    }
  }

  async #readPast(past: Past): Promise<number> {
    const pieces = past.read(this.#signal);
    for (;;) {
      const { done, value } = await pieces.next();
      if (done) return value;
      if (Buffer.isBuffer(value)) await this.#target.write(value);
      else await this.#tellLoss(value);
    }
  }

  async #pass(span: Span): Promise<void> {
    const { encoding, selection } = this.#options;
    const bytes = encoding.span(span, selection);
    if (bytes === undefined) return;
    const { chunk } = span;
    chunk.pins++;
    await this.#target.write(bytes, () => chunk.pins--);
  }

  #waitForMore(): Promise<void> {
    this.#isWaiting = true;
    return this.#options.bell.wait(this.#signal).finally(() => {
      this.#isWaiting = false;
    });
  }

  #beat(): void {
    if (this.#isWaiting) this.#target.write(this.#options.encoding.heartbeat).catch(() => undefined);
  }

  async #tellLoss(missing: Missing): Promise<void> {
    this.lost += missing.events;
    const { encoding, lostLine } = this.#options;
    await this.#target.write(encoding.line(lostLine(missing)));
  }
}
