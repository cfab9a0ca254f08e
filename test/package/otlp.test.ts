import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { DropSource } from '../process/support/drops.js';
import { emitted, type Program, startTrace } from '../process/support/program.js';
import { useCollector } from '../support/collector.js';
import { builtCollector, OpenTelemetryCollector } from './support/otelcol.js';
import { VictoriaMetrics } from './support/victoria-metrics.js';

const source = new DropSource();
const here = ['--netns', source.path, '-o', 'ndjson', '--node', 'node-1', '--interval', '100'];
let metrics: VictoriaMetrics;

beforeEach(async () => {
  metrics = await VictoriaMetrics.start();
});
afterEach(() => metrics.stop());
afterAll(() => source.remove());

describe('VictoriaMetrics', () => {
  const counts = ['--no-otlp-logs'];

  test('has each drop that the kernel counted, under its reason, verdict and device', async () => {
    const before = source.counter;
    const trace = await start([...here, '--otlp', metrics.otlp, ...counts]);
    await source.drop(1234, { flows: 7 });
    const { stderr } = await trace.stop();
    expect(stderr).not.toContain('the collector');

    const [sample, ...others] = await metrics.until('rpftrace_drops_total', ({ length }) => length > 0);
    expect(others).toEqual([]);
    expect(sample?.value).toBe(source.counter - before);
    expect(sample?.metric).toMatchObject({
      service_name: 'rpftrace',
      service_instance_id: expect.stringMatching(/^node-1\//),
      ...{ linux_skb_drop_reason: 'IP_RPFILTER', rpftrace_rpf_verdict: 'no_reverse_route' },
      network_interface_name: 'dropin',
    });
  });

  test('keeps two tracers of one machine apart', async () => {
    const both = await Promise.all([1, 2].map(() => start([...here, '--otlp', metrics.otlp, ...counts])));
    await source.drop(100);
    await Promise.all(both.map((trace) => trace.stop()));
    const samples = await metrics.until('rpftrace_drops_total', ({ length }) => length === 2);
    expect(samples.map(({ value }) => value)).toEqual([100, 100]);
  });

  test('knows what OTEL_RESOURCE_ATTRIBUTES tells of the sender', async () => {
    const env = { OTEL_RESOURCE_ATTRIBUTES: 'k8s.cluster.name=east,service.instance.id=one' };
    const trace = await start([...here, '--otlp', metrics.otlp, ...counts], env);
    await trace.stop();
    const [sample] = await metrics.until('rpftrace_otlp_lost_total', ({ length }) => length > 0);
    expect(sample?.metric).toMatchObject({ service_instance_id: 'one', k8s_cluster_name: 'east' });
  });

  test('takes no events, which is told; the counts arrive', async () => {
    const trace = await start([...here, '--otlp', metrics.otlp]);
    await source.drop(10);
    await trace.until(({ stderr }) => stderr.includes('does not take events (Bad Request)'));
    await trace.stop();
    await metrics.until('rpftrace_drops_total', ([sample]) => sample?.value === 10);
  });
});

describe('the collector of OpenTelemetry, between rpftrace and who keeps it', () => {
  const behind = useCollector();
  let collector: OpenTelemetryCollector;
  beforeAll(async () => {
    await builtCollector();
  });
  beforeEach(async () => {
    collector = await OpenTelemetryCollector.start({ logs: behind.url, metrics: metrics.otlp });
  });
  afterEach(() => collector?.stop());

  test('hands on each event and each drop', async () => {
    const before = source.counter;
    const trace = await start([...here, '--otlp', collector.url]);
    await source.drop(500, { flows: 3 });
    const { stdout, stderr } = await trace.stop();
    expect(stderr).not.toContain('the collector');

    const lines = stdout.split('\n').length - 1;
    await behind.until(() => behind.logs.length >= lines);
    expect(behind.logs).toHaveLength(lines);
    const drops = behind.logsOf('linux.packet.drop');
    expect(sum(drops.map(({ attributes }) => Number(attributes['rpftrace.drop.count'])))).toBe(
      source.counter - before,
    );
    expect(drops[0]).toMatchObject({
      severity: 13,
      body: expect.stringContaining('203.0.113.9 arrived on dropin'),
      attributes: { 'linux.skb.drop_reason': 'IP_RPFILTER', 'source.address': '203.0.113.9' },
      resource: { 'service.name': 'rpftrace', 'host.name': 'node-1' },
    });
    expect(behind.logsOf('rpftrace.incident')[0]?.attributes).toMatchObject({
      'rpftrace.incident.devices': ['dropin'],
    });
    await metrics.until('sum(rpftrace_drops_total)', ([all]) => all?.value === source.counter - before);
  });

  test('is killed and comes back: no event is missing or double, and the counts are those of the kernel', async () => {
    const before = source.counter;
    const trace = await start([...here, '--otlp', collector.url], { OTEL_METRIC_EXPORT_INTERVAL: '500' });
    await source.drop(40, { flows: 2 });
    await trace.until(({ events }) => emitted(events) === 40);
    await behind.until(() => behind.logs.length === trace.events.length);

    await collector.kill();
    await source.drop(60, { flows: 2 });
    await trace.until(({ stderr }) => stderr.includes('does not take counts'));
    await collector.open();
    await source.drop(70, { flows: 2 });
    await metrics.until('sum(rpftrace_drops_total)', ([all]) => all?.value === 170);
    await trace.until(({ stderr }) => stderr.includes('takes counts again'));
    await behind.until(() => behind.logs.length === trace.events.length);

    const { stdout, stderr } = await trace.stop();
    const lines = stdout.split('\n').length - 1;
    await behind.until(() => behind.logs.length >= lines);
    expect(behind.logs).toHaveLength(lines);
    expect(stderr).not.toContain('events did not reach');
    expect(source.counter - before).toBe(170);
  });
});

/** Killed when the test is over, however it ends. */
async function start(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Program> {
  const trace = await startTrace(args, { env });
  onTestFinished(() => {
    trace.kill('SIGKILL');
  });
  return trace;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
