/** How long to wait before the next try: twice as long each time, up to a bound, and never the same for all who wait. */
export class BackOff {
  #nextMs = FIRST_MS;

  /** Milliseconds, between half of what it would be and all of it. */
  next(): number {
    const ms = this.#nextMs * (0.5 + Math.random() / 2);
    this.#nextMs = Math.min(this.#nextMs * 2, LONGEST_MS);
    return ms;
  }

  /** It worked for a good while: the next trouble is another one. */
  reset(): void {
    this.#nextMs = FIRST_MS;
  }
}

/** A connection that was heard for so long was a good one, ms. */
export const STABLE_MS = 10_000;
/** A server that is started again is back within a second or two. */
const FIRST_MS = 250;
const LONGEST_MS = 15_000;
