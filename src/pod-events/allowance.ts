/** So many at once, and then one for each pause. */
export class Allowance {
  readonly #burst: number;
  readonly #pauseMs: number;
  readonly #now: () => number;
  #left: number;
  #countedMs: number;

  constructor(burst: number, pauseMs: number, now = () => performance.now()) {
    this.#burst = burst;
    this.#pauseMs = pauseMs;
    this.#now = now;
    this.#left = burst;
    this.#countedMs = now();
  }

  /** Takes one, or says how long to wait for it, ms; 0: taken. */
  take(): number {
    const nowMs = this.#now();
    this.#left = Math.min(this.#burst, this.#left + (nowMs - this.#countedMs) / this.#pauseMs);
    this.#countedMs = nowMs;
    if (this.#left < 1) return Math.ceil((1 - this.#left) * this.#pauseMs);
    this.#left--;
    return 0;
  }
}
