import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

/** How long it goes on: what it asks for ends with it, and nothing is waited for any longer. */
export class Pace {
  #end = new AbortController();

  constructor(signal) {
    setMaxListeners(0, this.#end.signal); // one for each loop
    signal.addEventListener('abort', () => this.end(), { once: true });
  }

  get isOver() {
    return this.#end.signal.aborted;
  }

  end() {
    this.#end.abort();
  }

  /** Resolves after `ms`, or when it is over. */
  pause = (ms) => sleep(ms, undefined, { signal: this.#end.signal }).catch(() => undefined);

  /** Does the work every `ms`, or as often as it can be done, one after the other. Rejects when it fails once. */
  every = async (ms, work) => {
    for (let turn = 0; !this.isOver; turn++) {
      const from = performance.now();
      await work(turn);
      await this.pause(Math.max(0, from + ms - performance.now()));
    }
  };
}
