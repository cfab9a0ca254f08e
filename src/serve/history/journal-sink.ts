import type { DropEvent, TraceEvent } from '../../events.js';
import type { Clock } from '../../record/clock.js';
import type { DropReader } from '../../record/decode.js';
import { NdjsonSink, PREPARED_BYTES } from '../../sink/ndjson.js';
import { type Flow, MAX_FLOWS, type Sink } from '../../sink/sink.js';
import { type Facts, factsOfDrop, factsOfEvent } from './facts.js';
import type { Journal } from './journal.js';
import { JournalOutput } from './journal-output.js';

export interface JournalSinkOptions {
  readonly journal: Journal;
  readonly clock: Clock;
  readonly node: string;
  /** Sees each event that is no drop. */
  readonly onEvent: (event: Exclude<TraceEvent, DropEvent>) => void;
}

/** From the pipeline into the journal: never full, so that no reader can ever keep the capture waiting. */
export class JournalSink implements Sink {
  readonly ready = true;
  onReady: () => void = () => undefined;
  readonly #output: JournalOutput;
  readonly #ndjson: NdjsonSink;
  readonly #onEvent: JournalSinkOptions['onEvent'];
  /** By the id of the flow. */
  readonly #known: (Known | undefined)[] = new Array(MAX_FLOWS);

  constructor({ journal, clock, node, onEvent }: JournalSinkOptions) {
    this.#output = new JournalOutput(journal, PREPARED_BYTES);
    this.#ndjson = new NdjsonSink(this.#output, clock, node);
    this.#onEvent = onEvent;
  }

  drop(drop: DropReader, flow: Flow): void {
    this.#output.facts = this.#factsOf(flow);
    this.#output.drops = drop.count;
    this.#ndjson.drop(drop, flow);
  }

  event(event: Exclude<TraceEvent, DropEvent>): void {
    this.#output.facts = factsOfEvent(event);
    this.#output.drops = 0;
    this.#ndjson.event(event);
    this.#onEvent(event);
  }

  flush(): void {
    this.#ndjson.flush();
  }

  forgetFlows(): void {
    this.#ndjson.forgetFlows();
    this.#known.fill(undefined);
  }

  forgetContexts(): void {
    this.#ndjson.forgetContexts();
  }

  end(): Promise<void> {
    return this.#ndjson.end();
  }

  #factsOf(flow: Flow): Facts {
    const { device } = flow.context;
    const { attribution } = flow;
    const known = this.#known[flow.id];
    if (known?.device === device && known.attribution === attribution) return known.facts;
    const facts = factsOfDrop(flow.context.reason, device, attribution.pod);
    this.#known[flow.id] = { device, attribution, facts };
    return facts;
  }
}

interface Known {
  readonly device: Flow['context']['device'];
  readonly attribution: Flow['attribution'];
  readonly facts: Facts;
}
