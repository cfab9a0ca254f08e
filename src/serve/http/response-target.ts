import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Target } from '../readers/reader.js';

/** The answer to a request as the place where a reader's events go. */
export class ResponseTarget implements Target {
  readonly #response: ServerResponse;
  readonly #signal: AbortSignal;

  /** `signal` is aborted when the other side is gone. */
  constructor(response: ServerResponse, signal: AbortSignal) {
    this.#response = response;
    this.#signal = signal;
  }

  async write(bytes: Buffer | string, done?: () => void): Promise<void> {
    this.#signal.throwIfAborted();
    if (this.#response.write(bytes, done)) return;
    await once(this.#response, 'drain', { signal: this.#signal });
  }
}
