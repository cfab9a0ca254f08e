/** What is written to, as far as one can see whether somebody takes it. */
export interface Progress {
  /** Bytes that are still to be taken. */
  readonly pending: number;
  /** Bytes that were taken, ever. */
  readonly written: number;
}

/**
 * How long the rest is waited for after a signal: as long as there is progress, or none is to be expected of others, up to
 * MAX_MS; where a reader takes nothing, STALLED_MS. Time counts in ticks of this process, so that one that gets no CPU
 * does not blame its reader.
 */
export class Patience {
  readonly #output: Progress | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stalledTicks = 0;
  #ticks = 0;

  constructor(output: Progress | undefined) {
    this.#output = output;
  }

  /** Resolves when it is over. */
  end(): Promise<void> {
    return new Promise((resolve) => {
      let written = this.#output?.written;
      this.#timer = setInterval(() => {
        const isStalled = this.#isWaited && written === this.#output?.written;
        written = this.#output?.written;
        this.#ticks++;
        this.#stalledTicks = isStalled ? this.#stalledTicks + 1 : 0;
        if (this.#ticks * TICK_MS < MAX_MS && !this.#hasStalled) return;
        this.stop();
        resolve();
      }, TICK_MS);
    });
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** What is not waited for any longer: the end of a sentence. */
  get why(): string {
    if (this.#hasStalled) return 'the reader of the output does not read; what it did not take is lost';
    if (this.#isWaited)
      return 'the reader of the output had not taken everything; what it did not take is lost';
    return 'the rest of what was captured was not drained yet, and is lost';
  }

  get #isWaited(): boolean {
    return this.#output !== undefined && this.#output.pending > 0;
  }

  get #hasStalled(): boolean {
    return this.#stalledTicks * TICK_MS >= STALLED_MS;
  }
}

const TICK_MS = 100;
const STALLED_MS = 1500;
/** Service managers kill after 10 s and more. */
const MAX_MS = 8000;
