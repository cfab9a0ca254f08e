export interface Pace {
  /** Between two looks after something has changed, and after nudge(): the shortest, in milliseconds. */
  readonly minMs: number;
  /** Between two looks when nothing changes: the longest. */
  readonly maxMs: number;
}

/**
 * Looks again and again: soon after something has changed, ever more seldom while nothing does, at once when nudged. Never
 * twice at the same time; its timers keep no process alive.
 */
export class Poller {
  readonly #look: (signal: AbortSignal) => Promise<boolean>;
  readonly #pace: Pace;
  readonly #stop = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #dueMs = Number.POSITIVE_INFINITY;
  #lastMs = Number.NEGATIVE_INFINITY;
  #delayMs: number;
  #running: Promise<void> | undefined;
  #nudged = false;

  /** `look` resolves to whether something has changed, and never rejects. */
  constructor(look: (signal: AbortSignal) => Promise<boolean>, pace: Pace) {
    this.#look = look;
    this.#pace = pace;
    this.#delayMs = pace.minMs;
  }

  start(): void {
    this.#schedule(0);
  }

  /** Looks now, at most every `minMs`, and keeps looking often for a while: what is asked for may not be there yet. */
  nudge(): void {
    this.#delayMs = this.#pace.minMs;
    if (this.#running) this.#nudged = true;
    else this.#schedule(Math.max(0, this.#lastMs + this.#pace.minMs - performance.now()));
  }

  /** Resolves when the last look has ended. Idempotent. */
  async stop(): Promise<void> {
    this.#stop.abort();
    clearTimeout(this.#timer);
    await this.#running;
  }

  #schedule(delayMs: number): void {
    const dueMs = performance.now() + delayMs;
    if (this.#stop.signal.aborted || dueMs >= this.#dueMs) return;
    clearTimeout(this.#timer);
    this.#dueMs = dueMs;
    this.#timer = setTimeout(() => {
      this.#dueMs = Number.POSITIVE_INFINITY;
      this.#running = this.#run();
    }, delayMs).unref();
  }

  async #run(): Promise<void> {
    this.#lastMs = performance.now();
    this.#nudged = false;
    const changed = await this.#look(this.#stop.signal);
    this.#running = undefined;
    const { minMs, maxMs } = this.#pace;
    const again = changed || this.#nudged;
    this.#schedule(again ? minMs : Math.max(minMs, jittered(this.#delayMs)));
    this.#delayMs = again ? minMs * 2 : Math.min(maxMs, this.#delayMs * 2);
  }
}

/** Of a whole cluster's tracers, no two ask at the same time for long. */
function jittered(ms: number): number {
  return ms * (0.75 + Math.random() / 4);
}
