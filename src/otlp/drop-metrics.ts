import { type Attributes, type HrTime, ValueType } from '@opentelemetry/api';
import type { Resource } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  DataPointType,
  type MetricProducer,
  type SumMetricData,
} from '@opentelemetry/sdk-metrics';
import type { DropCounter, DropLabels, DropSeries } from '../metrics/drop-counter.js';
import { VERSION } from '../version.js';

/**
 * Series are let go and come back at 0. An instrument of the SDK would go on with the start time of the old one, and a sum
 * that has become less means nothing then; so the points are made here, each with the start of its own series.
 */
export function dropsProducer(drops: DropCounter, resource: Resource): MetricProducer {
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
