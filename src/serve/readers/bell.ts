/** Wakes all who wait for more, now and then: so often that nobody notices, so rarely that many readers cost little. */
export class Bell {
  readonly #gapMs: () => number;
  #waiting = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;
  #rungMs = Number.NEGATIVE_INFINITY;

  /** `gapMs`: the least time between two rings. */
  constructor(gapMs: () => number) {
    this.#gapMs = gapMs;
  }

  /** Resolves when there is more, or `signal` is aborted. */
  wait(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        signal.removeEventListener('abort', wake);
        this.#waiting.delete(wake);
        resolve();
      };
      signal.addEventListener('abort', wake);
      this.#waiting.add(wake);
    });
  }

  /** There is more. */
  readonly ring = (): void => {
    if (this.#timer !== undefined || this.#waiting.size === 0) return;
    const inMs = this.#rungMs + this.#gapMs() - performance.now();
    if (inMs <= 0) this.ringNow();
    else this.#timer = setTimeout(this.ringNow, inMs);
  };

  readonly ringNow = (): void => {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#rungMs = performance.now();
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const wake of waiting) wake();
  };
}
