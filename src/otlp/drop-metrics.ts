import { type Attributes, type HrTime, ValueType } from '@opentelemetry/api';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import type { Resource } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  DataPointType,
  MeterProvider,
  type MetricProducer,
  PeriodicExportingMetricReader,
  type SumMetricData,
} from '@opentelemetry/sdk-metrics';
import type { DropCounter, DropLabels, DropSeries } from '../metrics/drop-counter.js';
import { VERSION } from '../version.js';

export interface OtlpMetricsOptions {
  readonly url: string;
  readonly resource: Resource;
  readonly drops: DropCounter;
  /** Events that did not reach the collector. */
  readonly lost: () => number;
  readonly intervalMs?: number;
}

/** The counts of drops for a collector, as sums since the start. One that does not arrive is made good by the next. */
export class OtlpMetrics {
  readonly #provider: MeterProvider;

  constructor({ url, resource, drops, lost, intervalMs = INTERVAL_MS }: OtlpMetricsOptions) {
    const timeoutMs = Math.min(TIMEOUT_MS, intervalMs);
    const reader = new PeriodicExportingMetricReader({
      exporter: new OTLPMetricExporter({ url, timeoutMillis: timeoutMs }),
      exportIntervalMillis: intervalMs,
      exportTimeoutMillis: timeoutMs,
      metricProducers: [producerOf(drops, resource)],
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

  /** Gives out the last sums. */
  async end(): Promise<void> {
    await this.#provider.shutdown().catch(() => undefined);
  }
}

/**
 * Series are let go and come back at 0. An instrument of the SDK would go on with the start time of the old one, and a sum
 * that has become less means nothing then; so the points are made here, each with the start of its own series.
 */
function producerOf(drops: DropCounter, resource: Resource): MetricProducer {
  const scope = { name: 'rpftrace', version: VERSION };
  return {
    collect: async () => {
      const series = drops.look();
      const metrics = [dropsMetric(series, hrTimeOf(Date.now()))];
      const scopeMetrics = series.length === 0 ? [] : [{ scope, metrics }];
      return { resourceMetrics: { resource, scopeMetrics }, errors: [] };
    },
  };
}

function dropsMetric(series: readonly DropSeries[], endTime: HrTime): SumMetricData {
  return {
    descriptor: {
      name: 'rpftrace.drops',
      unit: '{packet}',
      description: 'Packets that the kernel dropped',
      valueType: ValueType.INT,
    },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
    dataPointType: DataPointType.SUM,
    isMonotonic: true,
    dataPoints: series.map(({ labels, drops, startedMs }) => ({
      startTime: hrTimeOf(startedMs),
      endTime,
      attributes: attributesOf(labels),
      value: drops,
    })),
  };
}

function hrTimeOf(ms: number): HrTime {
  const seconds = Math.floor(ms / 1000);
  return [seconds, (ms - seconds * 1000) * 1e6];
}

function attributesOf({ reason, verdict, namespace, pod, device }: DropLabels): Attributes {
  const attributes = {
    'linux.skb.drop_reason': reason,
    'rpftrace.rpf.verdict': verdict,
    'k8s.namespace.name': namespace,
    'k8s.pod.name': pod,
    'network.interface.name': device,
  };
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== ''));
}

const INTERVAL_MS = 15_000;
const TIMEOUT_MS = 10_000;
