/** How long things may take. Milliseconds. */
export interface Timing {
  /** For a plugin that makes credentials. */
  readonly credentialsMs: number;
  /** From a question to the first bytes of its answer. */
  readonly answerMs: number;
  /** Between the bytes of a list. */
  readonly idleMs: number;
  /** For one page of a list. */
  readonly pageMs: number;
  /** The server is asked to end each watch after this time, and somewhat more. Then it is begun anew. */
  readonly watchMs: number;
  /** So much longer we wait for that end. */
  readonly watchGraceMs: number;
  /** A watch that lasted so long was a good one. */
  readonly goodWatchMs: number;
  /** First pause after a failure; it doubles with each further one. */
  readonly pauseMs: number;
  readonly maxPauseMs: number;
  /** What is not allowed, or not there, is asked for again as seldom as this. */
  readonly refusedPauseMs: number;
  /** Nodes are waited for before services are asked for. */
  readonly headStartMs: number;
}

export const TIMING: Timing = {
  credentialsMs: 20_000,
  answerMs: 30_000,
  idleMs: 30_000,
  pageMs: 120_000,
  watchMs: 240_000,
  watchGraceMs: 15_000,
  goodWatchMs: 1_000,
  pauseMs: 500,
  maxPauseMs: 30_000,
  refusedPauseMs: 60_000,
  headStartMs: 5_000,
};

/** Pauses that grow, each with jitter: a thousand nodes must not come back to a server at the same moment. */
export class Backoff {
  readonly #timing: Timing;
  #failures = 0;

  constructor(timing: Timing) {
    this.#timing = timing;
  }

  reset(): void {
    this.#failures = 0;
  }

  /** Milliseconds to wait now, at least `atLeastMs`. */
  next(atLeastMs = 0): number {
    const { pauseMs, maxPauseMs } = this.#timing;
    const pause = Math.max(Math.min(pauseMs * 2 ** this.#failures++, maxPauseMs), atLeastMs);
    const jitter = Math.random() * pause;
    return atLeastMs > 0 ? pause + jitter / 2 : pause / 2 + jitter / 2;
  }
}

/** Resolves after the time, or at once when stopped. Keeps no process alive. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    timer.unref();
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });
}

/** For people: "0.3 s". */
export function seconds(ms: number): string {
  return `${Math.round(ms / 100) / 10} s`;
}
