import type { TraceEvent } from '../events.js';
import type { Clock } from '../record/clock.js';
import type { DropReader } from '../record/decode.js';
import { dropEvent } from './drop-event.js';
import type { Flow, Sink } from './sink.js';

/** A sink for those who have events and no records: what was captured elsewhere, or before. It says when it is full, as Sink does. */
export interface EventSink {
  readonly ready: boolean;
  onReady: () => void;
  event(event: TraceEvent): void;
  flush(): void;
  end(): Promise<void>;
}

/** Makes an event of each drop. For sinks that take no more than people can read, or programs can handle. */
export class DropEventSink implements Sink {
  readonly #sink: EventSink;
  readonly #clock: Clock;
  readonly #node: string;

  constructor(sink: EventSink, clock: Clock, node: string) {
    this.#sink = sink;
    this.#clock = clock;
    this.#node = node;
  }

  get ready(): boolean {
    return this.#sink.ready;
  }

  set onReady(callback: () => void) {
    this.#sink.onReady = callback;
  }

  drop(drop: DropReader, flow: Flow): void {
    this.#sink.event(dropEvent(drop, flow, this.#clock, this.#node));
  }

  event(event: TraceEvent): void {
    this.#sink.event(event);
  }

  flush(): void {
    this.#sink.flush();
  }

  forgetFlows(): void {}

  forgetContexts(): void {}

  end(): Promise<void> {
    return this.#sink.end();
  }
}
