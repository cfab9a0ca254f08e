import type { Attributes } from '@opentelemetry/api';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import type { Resource } from '@opentelemetry/resources';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import type { DropCounter, DropLabels } from '../metrics/drop-counter.js';
import { VERSION } from '../version.js';

/** The counts of drops for a collector, as sums since the start. One that does not arrive is made good by the next. */
export class OtlpMetrics {
  readonly #provider: MeterProvider;

  constructor(url: string, resource: Resource, drops: DropCounter, lost: () => number) {
    const reader = new PeriodicExportingMetricReader({
      exporter: new OTLPMetricExporter({ url, timeoutMillis: TIMEOUT_MS }),
      exportIntervalMillis: INTERVAL_MS,
      exportTimeoutMillis: TIMEOUT_MS,
      cardinalityLimits: { default: 2 * drops.maxSeries }, // drops.maxSeries is the limit, this one is never reached
    });
    this.#provider = new MeterProvider({ resource, readers: [reader] });
    const meter = this.#provider.getMeter('rpftrace', VERSION);
    meter
      .createObservableCounter('rpftrace.drops', {
        unit: '{packet}',
        description: 'Packets that the kernel dropped',
      })
      .addCallback((result) => {
        for (const series of drops.look()) result.observe(series.drops, attributesOf(series.labels));
      });
    meter
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
