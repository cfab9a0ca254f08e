import type { DropEvent, TraceEvent } from '../events.js';
import type { DropReader } from '../record/decode.js';
import type { Flow, Sink } from './sink.js';

/** What sees all that goes to a sink, and never keeps it waiting. */
export interface Witness {
  drop(drop: DropReader, flow: Flow): void;
  event(event: Exclude<TraceEvent, DropEvent>): void;
  forgetFlows(): void;
  /** Resolves when it has seen enough. */
  end(): Promise<void>;
}

/** A sink, and somebody who looks on. */
export class TeeSink implements Sink {
  readonly #sink: Sink;
  readonly #witness: Witness;

  constructor(sink: Sink, witness: Witness) {
    this.#sink = sink;
    this.#witness = witness;
  }

  get ready(): boolean {
    return this.#sink.ready;
  }

  set onReady(callback: () => void) {
    this.#sink.onReady = callback;
  }

  drop(drop: DropReader, flow: Flow): void {
    this.#witness.drop(drop, flow);
    this.#sink.drop(drop, flow);
  }

  event(event: Exclude<TraceEvent, DropEvent>): void {
    this.#witness.event(event);
    this.#sink.event(event);
  }

  flush(): void {
    this.#sink.flush();
  }

  forgetFlows(): void {
    this.#witness.forgetFlows();
    this.#sink.forgetFlows();
  }

  forgetContexts(): void {
    this.#sink.forgetContexts();
  }

  async end(): Promise<void> {
    await Promise.all([this.#sink.end(), this.#witness.end()]);
  }
}
