import { diag } from '@opentelemetry/api';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import type { Resource } from '@opentelemetry/resources';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import type { DropCounter } from '../metrics/drop-counter.js';
import { VERSION } from '../version.js';
import { Delivery } from './delivery.js';
import { dropsProducer } from './drop-metrics.js';
import { watched } from './watched.js';

export interface OtlpMetricsOptions {
  readonly url: string;
  readonly resource: Resource;
  readonly drops: DropCounter;
  /** Events that did not reach the collector. */
  readonly lost: () => number;
  /** The collector stopped taking counts, and why; undefined: it takes them again. */
  readonly onChange: (failure: string | undefined) => void;
  readonly intervalMs?: number;
}

/** The counts of drops for a collector, as sums since the start. One that does not arrive is made good by the next. */
export class OtlpMetrics {
  readonly #provider: MeterProvider;
  readonly #delivery: Delivery;

  constructor({ url, resource, drops, lost, onChange, intervalMs = askedIntervalMs() }: OtlpMetricsOptions) {
    this.#delivery = new Delivery(onChange);
    const timeoutMs = Math.min(TIMEOUT_MS, intervalMs);
    const exporter = new OTLPMetricExporter({ url, timeoutMillis: timeoutMs });
    const reader = new PeriodicExportingMetricReader({
      exporter: watched(exporter, this.#delivery),
      exportIntervalMillis: intervalMs,
      exportTimeoutMillis: timeoutMs,
      metricProducers: [dropsProducer(drops, resource)],
    });
    this.#provider = new MeterProvider({ resource, readers: [reader] });
    this.#provider
      .getMeter('rpftrace', VERSION)
      .createObservableCounter('rpftrace.otlp.lost', {
        unit: '{event}',
        description: 'Events that did not reach the collector as log records',
      })
      .addCallback((result) => result.observe(lost()));
  }

  get failure(): string | undefined {
    return this.#delivery.failure;
  }

  /** Why the last sums did not arrive; undefined: they did. */
  get missing(): string | undefined {
    return this.#delivery.isWaiting ? 'it did not answer in time' : this.failure;
  }

  /** Gives out the last sums. */
  async end(): Promise<void> {
    await this.#provider.shutdown().catch(() => undefined);
  }
}

/** OTEL_METRIC_EXPORT_INTERVAL, as in all SDKs of OpenTelemetry. */
function askedIntervalMs(): number {
  const text = process.env.OTEL_METRIC_EXPORT_INTERVAL;
  if (!text) return INTERVAL_MS;
  const asked = Number(text);
  if (Number.isInteger(asked) && asked > 0 && asked <= LONGEST_MS) return asked;
  diag.warn(`OTEL_METRIC_EXPORT_INTERVAL is '${text}', no number of milliseconds: it is ${INTERVAL_MS} now`);
  return INTERVAL_MS;
}

const INTERVAL_MS = 15_000;
/** Of Node's timers; a longer one would end at once. */
const LONGEST_MS = 2 ** 31 - 1;
const TIMEOUT_MS = 10_000;
