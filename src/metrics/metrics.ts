import { collectDefaultMetrics, Registry } from 'prom-client';
import type { Sink } from '../sink/sink.js';
import { TeeSink } from '../sink/tee-sink.js';
import { DropCounter } from './drop-counter.js';
import { registerCapture } from './families/capture.js';
import { registerDrops } from './families/drops.js';
import { registerIncidents } from './families/incidents.js';
import type { MetricsOptions } from './options.js';
import { Tally } from './tally.js';

/** What Prometheus asks for. docs/metrics.md explains each metric. */
export class Metrics {
  readonly contentType: string;
  readonly drops: DropCounter;
  readonly tally = new Tally();
  readonly #registry = new Registry();

  constructor(options: MetricsOptions) {
    this.drops = new DropCounter({ maxSeries: options.maxSeries });
    this.contentType = this.#registry.contentType;
    const registers = [this.#registry];
    registerDrops(registers, this.drops);
    registerIncidents(registers, this.tally);
    registerCapture(registers, this.tally, options);
    collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision: LAG_EVERY_MS });
    for (const name of MISNAMED) this.#registry.removeSingleMetric(name);
  }

  /** Counts what goes to this sink. One sink of a capture is watched, and no other. */
  watch(sink: Sink): Sink {
    return new TeeSink(sink, {
      drop: (drop, flow) => this.drops.count(drop, flow),
      event: (event) => this.tally.take(event),
      forgetFlows: () => this.drops.forgetFlows(),
      end: async () => undefined,
    });
  }

  /** In the text format, version 0.0.4. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }
}

/** Gauges of prom-client that are called like counters, which promtool refuses. */
const MISNAMED = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
];
/** How often the lag of the event loop is looked at: each time wakes the process. */
const LAG_EVERY_MS = 1000;
