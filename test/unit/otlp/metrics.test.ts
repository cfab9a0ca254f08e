import { resourceFromAttributes } from '@opentelemetry/resources';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { DropCounter } from '../../../src/metrics/drop-counter.js';
import { OtlpMetrics } from '../../../src/otlp/metrics.js';
import { countedFlow, dropOf } from '../../fixtures/flow.js';
import { type CollectedPoint, useCollector } from '../../support/collector.js';

const HOUR_MS = 3_600_000;
const collector = useCollector();
const gone = countedFlow({ id: 1, pod: 'gone' });

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] });
});

afterEach(() => {
  vi.useRealTimers();
});

test('a series that was let go and comes back has a start time of its own', async () => {
  const drops = start({ maxSeries: 2 });
  drops.count(dropOf(5), gone);
  drops.count(dropOf(1), countedFlow({ id: 2, pod: 'other' }));
  await collector.until(() => pointOf('gone')?.value === 5);
  const before = pointOf('gone') as CollectedPoint;

  vi.setSystemTime(Date.now() + 2 * HOUR_MS);
  await collector.until(() => drops.size === 0);
  drops.count(dropOf(7), gone);
  await collector.until(() => pointOf('gone')?.value === 7);

  const after = pointOf('gone') as CollectedPoint;
  expect(after.startNs).toBeGreaterThanOrEqual(before.timeNs);
  expect(after.startNs - before.startNs).toBeGreaterThan(BigInt(HOUR_MS) * 1_000_000n);
});

function start({ maxSeries }: { maxSeries: number }): DropCounter {
  const drops = new DropCounter({ maxSeries });
  const resource = resourceFromAttributes({});
  const url = `${collector.url}/v1/metrics`;
  const metrics = new OtlpMetrics({
    url,
    resource,
    drops,
    lost: () => 0,
    onChange: () => undefined,
    intervalMs: 20,
  });
  onTestFinished(() => metrics.end());
  return drops;
}

function pointOf(pod: string): CollectedPoint | undefined {
  const isOf = ({ metric, attributes }: CollectedPoint) =>
    metric === 'rpftrace.drops' && attributes['k8s.pod.name'] === pod;
  return [...collector.points.values()].find(isOf);
}
