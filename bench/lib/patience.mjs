import { setTimeout as sleep } from 'node:timers/promises';
import { busySeconds } from './machine.mjs';

/** More than this of one CPU, and others have disturbed a run. */
const DISTURBED_PERCENT = 10;

/** Waits for others to be quiet and takes disturbed samples again, as long as its time is not used up. */
export class Patience {
  #leftMs;
  #signal;
  /** Samples that were thrown away. */
  repeated = 0;

  constructor(seconds, signal) {
    this.#leftMs = seconds * 1000;
    this.#signal = signal;
  }

  /** Takes a sample that no one disturbed, or the last one. */
  async take(once) {
    for (;;) {
      await this.#waitForQuiet();
      const begin = performance.now();
      const sample = await once();
      if (!(sample.others_percent > DISTURBED_PERCENT) || this.#leftMs <= 0) return sample;
      this.#leftMs -= performance.now() - begin;
      this.repeated++;
    }
  }

  async #waitForQuiet() {
    while (this.#leftMs > 0) {
      const busy = busySeconds();
      await sleep(LOOK_MS, undefined, { signal: this.#signal });
      if ((100_000 * busy()) / LOOK_MS <= DISTURBED_PERCENT) return;
      this.#leftMs -= LOOK_MS;
    }
  }
}

const LOOK_MS = 1000;
