import { setTimeout as pause } from 'node:timers/promises';

/** Long work in pieces: what happens meanwhile, drops above all, waits for one piece at most. */
export class Slices {
  readonly #signal: AbortSignal;
  #endMs = performance.now() + SLICE_MS;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** To be awaited where there is something: this piece is over. Rejects when the work is not wanted any more. */
  rest(): Promise<void> | undefined {
    return performance.now() < this.#endMs ? undefined : this.#pause();
  }

  async #pause(): Promise<void> {
    await pause(PAUSE_MS, undefined, { signal: this.#signal, ref: false });
    this.#endMs = performance.now() + SLICE_MS;
  }
}

const SLICE_MS = 2;
const PAUSE_MS = 4;
