import type { TracerError } from '../errors.js';
import type { StopCause } from '../session.js';
import { Patience, type Progress } from './patience.js';
import { Signals } from './signals.js';

/** What can end a trace. Whoever comes first decides; a failure is told to whoever still waits for the rest. */
export class Ending {
  /** Resolves when the trace has to end. */
  readonly cause: Promise<StopCause>;
  /** Resolves when output or capture fails. */
  readonly failure: Promise<TracerError>;
  /** Resolves with the signal when nothing should be waited for any longer: a while after the first one, or at the second. */
  readonly impatience: Promise<NodeJS.Signals>;
  readonly #signals: Signals;
  #end: (cause: StopCause) => void = () => undefined;
  #fail: (error: TracerError) => void = () => undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #patience: Patience;

  /** `output` is what is written to at the end, where that is known; `signals` those that are listened to already. */
  constructor(output?: Progress, signals = new Signals()) {
    this.#signals = signals;
    this.#patience = new Patience(output);
    this.cause = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.failure = new Promise((resolve) => {
      this.#fail = resolve;
    });
    this.impatience = Promise.race([this.#signals.second, this.#patienceAfterFirst()]);
    this.#signals.first.then((signal) => this.end({ why: 'signal', signal }));
  }

  /** What was waited for when patience was at its end, in words. */
  get waitedFor(): string {
    return this.#patience.why;
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
    this.#patience.stop();
    this.#signals.remove();
  }

  async #patienceAfterFirst(): Promise<NodeJS.Signals> {
    const signal = await this.#signals.first;
    await this.#patience.end();
    return signal;
  }
}
