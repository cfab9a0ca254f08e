import type { TracerError } from '../errors.js';
import type { StopCause } from '../session.js';
import { Signals } from './signals.js';

/** What can end a trace. Whoever comes first decides; a failure is told to whoever still waits for the rest. */
export class Ending {
  /** Resolves when the trace has to end. */
  readonly cause: Promise<StopCause>;
  /** Resolves when output or capture fails. */
  readonly failure: Promise<TracerError>;
  /** Resolves with the signal when nobody should be waited for any longer: a while after the first one, or at the second. */
  readonly impatience: Promise<NodeJS.Signals>;
  readonly #signals = new Signals();
  #end: (cause: StopCause) => void = () => undefined;
  #fail: (error: TracerError) => void = () => undefined;
  #timer: NodeJS.Timeout | undefined;
  #graceTimer: NodeJS.Timeout | undefined;

  constructor() {
    this.cause = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.failure = new Promise((resolve) => {
      this.#fail = resolve;
    });
    this.impatience = Promise.race([this.#signals.second, this.#graceAfterFirst()]);
    this.#signals.first.then((signal) => this.end({ why: 'signal', signal }));
  }

  end(cause: StopCause): void {
    this.#end(cause);
  }

  fail(error: TracerError): void {
    this.#fail(error);
    this.#end({ why: 'error', error: error.message });
  }

  endAfter(ms: number | undefined): void {
    if (ms !== undefined) this.#timer = setTimeout(() => this.end({ why: 'duration' }), ms);
  }

  dispose(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#graceTimer);
    this.#signals.remove();
  }

  async #graceAfterFirst(): Promise<NodeJS.Signals> {
    const signal = await this.#signals.first;
    await new Promise<void>((resolve) => {
      this.#graceTimer = setTimeout(resolve, GRACE_MS);
    });
    return signal;
  }
}

/** How long a reader may take for what is still to be written once a signal has come: service managers wait for seconds. */
const GRACE_MS = 1500;
