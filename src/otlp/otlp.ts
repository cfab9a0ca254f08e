import { resourceFromAttributes } from '@opentelemetry/resources';
import type { DropEvent, TraceEvent } from '../events.js';
import { DropCounter } from '../metrics/drop-counter.js';
import type { Clock } from '../record/clock.js';
import type { DropReader } from '../record/decode.js';
import { dropEvent } from '../sink/drop-event.js';
import type { Forwarder } from '../sink/forwarder.js';
import type { Flow } from '../sink/sink.js';
import { VERSION } from '../version.js';
import { within } from '../within.js';
import { OtlpMetrics } from './drop-metrics.js';
import { OtlpLogs } from './logs.js';

export interface OtlpOptions {
  /** Of the collector, e.g. http://collector:4318; its paths are /v1/logs and /v1/metrics. */
  readonly url: string;
  /** Name of this machine. */
  readonly node: string;
  readonly clock: Clock;
  /** Something that people should know, in words. */
  readonly note: (text: string) => void;
}

/**
 * Sends what it sees to an OpenTelemetry collector: events as log records, drops as a metric. It never keeps others waiting: of
 * a collector that is too slow or away, what it did not get is counted.
 */
export class Otlp implements Forwarder {
  readonly name = 'otlp';
  readonly #options: OtlpOptions;
  readonly #logs: OtlpLogs;
  readonly #metrics: OtlpMetrics;
  readonly #drops = new DropCounter();
  #lastFailure = 'it was too slow';
  #ended: Promise<void> | undefined;

  constructor(options: OtlpOptions) {
    this.#options = options;
    const base = options.url.replace(/\/+$/, '');
    const resource = resourceFromAttributes({
      'service.name': 'rpftrace',
      'service.version': VERSION,
      'host.name': options.node,
      ...(process.env.KUBERNETES_SERVICE_HOST && { 'k8s.node.name': options.node }),
      'process.pid': process.pid,
    });
    const onChange = (failure: string | undefined) => this.#tell(failure);
    this.#logs = new OtlpLogs({ url: `${base}/v1/logs`, resource, onChange });
    this.#metrics = new OtlpMetrics({
      url: `${base}/v1/metrics`,
      resource,
      drops: this.#drops,
      lost: () => this.lost,
    });
  }

  /** Events that did not reach the collector. */
  get lost(): number {
    return this.#logs.lost;
  }

  get failure(): string | undefined {
    return this.#logs.failure;
  }

  drop(drop: DropReader, flow: Flow): void {
    this.#drops.count(drop, flow);
    if (!this.#logs.hasRoom) this.#logs.lose();
    else this.#logs.take(dropEvent(drop, flow, this.#options.clock, this.#options.node));
  }

  event(event: Exclude<TraceEvent, DropEvent>): void {
    this.#logs.take(event);
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
    await within(GRACE_MS, Promise.all([this.#logs.end(), this.#metrics.end()]));
    this.#logs.settle();
    const { url, note } = this.#options;
    if (this.lost > 0)
      note(`${this.lost} events did not reach the collector at ${url}: ${this.#lastFailure}`);
  }

  #tell(failure: string | undefined): void {
    if (failure !== undefined) this.#lastFailure = failure;
    if (this.#ended) return;
    const { url, note } = this.#options;
    const what = failure === undefined ? 'takes events again' : `does not take events (${failure})`;
    note(`the collector at ${url} ${what}; ${this.lost} are lost so far`);
  }
}

/** Less than service managers and rpftrace itself wait after a signal. */
const GRACE_MS = 1000;
