import type { TraceEvent } from '../events.js';
import type { EventSink } from './event-sink.js';

/** Hands events to one reader of a program. Bounded: a reader that does not read stops the stream, not the program. */
export class QueueSink implements EventSink {
  onReady: () => void = () => undefined;
  #events: TraceEvent[] = [];
  #read = 0;
  #onEvent: () => void = () => undefined;
  #ended = false;

  get ready(): boolean {
    return this.#events.length - this.#read < MAX_EVENTS;
  }

  /** Members that are unknown are absent, not undefined. */
  event(event: TraceEvent): void {
    this.#events.push(withoutUndefined(event));
    this.#onEvent();
  }

  flush(): void {}

  async end(): Promise<void> {
    this.#ended = true;
    this.#onEvent();
  }

  /** The next event; undefined when the stream is over. */
  async next(): Promise<TraceEvent | undefined> {
    while (this.#read === this.#events.length) {
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => {
        this.#onEvent = resolve;
      });
    }
    return this.#take();
  }

  #take(): TraceEvent | undefined {
    const event = this.#events[this.#read++];
    const waiting = this.#events.length - this.#read;
    // A reader that stays a few events behind never empties the queue: what it read is freed all the same.
    if (this.#read === FREE_AT || waiting === 0) {
      this.#events = this.#events.slice(this.#read);
      this.#read = 0;
    }
    if (waiting === REFILL_AT) this.onReady();
    return event;
  }
}

function withoutUndefined<T>(value: T): T {
  if (Array.isArray(value)) return value.map(withoutUndefined) as T;
  if (typeof value !== 'object' || value === null) return value;
  const known = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(known.map(([key, member]) => [key, withoutUndefined(member)])) as T;
}

/** A few batches' worth in default mode. */
const MAX_EVENTS = 4096;
/** Early enough that the next ones are there before the reader has to wait for them. */
const REFILL_AT = MAX_EVENTS / 2;
const FREE_AT = 1024;
