import type { DropEvent, TraceEvent } from '../events.js';
import { DropCounter } from '../metrics/drop-counter.js';
import type { Clock } from '../record/clock.js';
import type { DropReader } from '../record/decode.js';
import { dropEvent } from '../sink/drop-event.js';
import type { Forwarder } from '../sink/forwarder.js';
import type { Flow } from '../sink/sink.js';
import { within } from '../within.js';
import { OtlpLogs } from './logs.js';
import { OtlpMetrics } from './metrics.js';
import { resourceOf, type Sender } from './resource.js';
import { listenToSdk } from './sdk-log.js';

/** Where to, and what. */
export interface OtlpTarget {
  /** Of the collector, e.g. http://collector:4318; its paths are /v1/logs and /v1/metrics. */
  readonly url: string;
  /** false: no events. */
  readonly logs?: boolean | undefined;
  /** false: no counts. */
  readonly metrics?: boolean | undefined;
}

export interface OtlpOptions extends OtlpTarget, Sender {
  /** Of drops, at most. */
  readonly maxSeries?: number | undefined;
  readonly clock: Clock;
}

/**
 * Sends what it sees to an OpenTelemetry collector: events as log records, drops as a metric. It never keeps others waiting: of
 * a collector that is too slow or away, what it did not get is counted.
 */
export class Otlp implements Forwarder {
  readonly name = 'otlp';
  readonly #options: OtlpOptions;
  readonly #logs: OtlpLogs | undefined;
  readonly #metrics: OtlpMetrics | undefined;
  readonly #drops: DropCounter;
  #lastFailure = 'it was too slow';
  #ended: Promise<void> | undefined;

  constructor(options: OtlpOptions) {
    this.#options = options;
    this.#drops = new DropCounter({ maxSeries: options.maxSeries });
    const { logs = true, metrics = true } = options;
    const base = options.url.replace(/\/+$/, '');
    listenToSdk({
      onWarning: (text) => this.#options.note(`OpenTelemetry: ${text}`),
      onRejectedLogs: (count, why) => {
        this.#lastFailure = why;
        this.#logs?.reject(count);
      },
    });
    const resource = resourceOf(options);
    if (logs) {
      const onChange = (failure: string | undefined) => this.#tellEvents(failure);
      this.#logs = new OtlpLogs({ url: `${base}/v1/logs`, resource, onChange });
    }
    if (metrics) {
      this.#metrics = new OtlpMetrics({
        url: `${base}/v1/metrics`,
        resource,
        drops: this.#drops,
        lost: () => this.lost,
        onChange: (failure) => this.#tell('counts', failure),
      });
    }
  }

  /** Events that did not reach the collector. */
  get lost(): number {
    return this.#logs?.lost ?? 0;
  }

  get failure(): string | undefined {
    return this.#logs?.failure ?? this.#metrics?.failure;
  }

  drop(drop: DropReader, flow: Flow): void {
    if (this.#metrics) this.#drops.count(drop, flow);
    if (!this.#logs) return;
    if (!this.#logs.hasRoom) this.#logs.lose();
    else this.#logs.take(dropEvent(drop, flow, this.#options.clock, this.#options.node));
  }

  event(event: Exclude<TraceEvent, DropEvent>): void {
    this.#logs?.take(event);
  }

  forgetFlows(): void {
    this.#drops.forgetFlows();
  }

  /** Gives out the rest, as far as the collector takes it in time; once, however often it is asked to. */
  end(): Promise<void> {
    this.#ended ??= this.#end();
    return this.#ended;
  }

  async #end(): Promise<void> {
    await within(GRACE_MS, Promise.all([this.#logs?.end(), this.#metrics?.end()]));
    this.#logs?.settle();
    const { url, note } = this.#options;
    if (this.lost > 0)
      note(`${this.lost} events did not reach the collector at ${url}: ${this.#lastFailure}`);
    const missing = this.#metrics?.missing;
    if (missing !== undefined) note(`the last counts did not reach the collector at ${url}: ${missing}`);
  }

  #tellEvents(failure: string | undefined): void {
    if (failure !== undefined) this.#lastFailure = failure;
    this.#tell('events', failure, `; ${this.lost} are lost so far`);
  }

  #tell(what: 'events' | 'counts', failure: string | undefined, consequence = ''): void {
    if (this.#ended) return;
    const { url, note } = this.#options;
    const how = failure === undefined ? `takes ${what} again` : `does not take ${what} (${failure})`;
    note(`the collector at ${url} ${how}${consequence}`);
  }
}

/** Less than service managers and rpftrace itself wait after a signal. */
const GRACE_MS = 1000;
