import { afterAll, describe, expect, it } from 'vitest';
import { useCollector } from '../support/collector.js';
import { DropSource } from './support/drops.js';
import { emitted, rpftrace, startTrace, stopOf } from './support/program.js';

const source = new DropSource();
const here = ['--netns', source.path, '-o', 'ndjson'];
const collector = useCollector();

afterAll(() => source.remove());

describe('--otlp', () => {
  it('sends each event as a log record, in the words of the semantic conventions', async () => {
    const env = { OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20secret' };
    const trace = await startTrace([...here, '--otlp', collector.url, '--node', 'node-1'], { env });
    await source.drop(500, { flows: 2 });
    const { code, stderr, stdout } = await trace.stop();
    expect(code).toBe(0);
    expect(stderr).not.toContain('collector');

    const [drop] = collector.logsOf('linux.packet.drop');
    expect(drop?.attributes).toMatchObject({
      'linux.skb.drop_reason': 'IP_RPFILTER',
      'rpftrace.rpf.verdict': 'no_reverse_route',
      ...{ 'network.type': 'ipv4', 'network.transport': 'udp', 'network.interface.name': 'dropin' },
      ...{ 'source.address': '203.0.113.9', 'destination.address': '192.0.2.1', 'destination.port': 9 },
    });
    expect(drop?.body).toContain('203.0.113.9 arrived on dropin');
    expect(drop?.resource).toMatchObject({ 'service.name': 'rpftrace', 'host.name': 'node-1' });
    const drops = collector
      .logsOf('linux.packet.drop')
      .map(({ attributes }) => attributes['rpftrace.drop.count']);
    expect(drops.reduce<number>((sum, count) => sum + Number(count), 0)).toBe(500);

    const lines = stdout.split('\n').slice(0, -1);
    expect(collector.logs).toHaveLength(lines.length);
    const first = lines.map((line) => JSON.parse(line)).find(({ kind }) => kind === 'drop');
    expect(String(drop?.timeNs).slice(-9)).toBe(first.time.slice(20, 29));
    const [incident] = collector.logsOf('rpftrace.incident');
    expect(incident).toMatchObject({ severity: 17, attributes: { 'rpftrace.incident.state': 'open' } });
    expect(collector.headers[0]?.authorization).toBe('Bearer secret');
  });

  it('sends the exact counts as a metric', async () => {
    const trace = await startTrace([...here, '--otlp', collector.url]);
    await source.drop(1234);
    await trace.stop();

    const points = [...collector.points.values()];
    expect(points.find(({ metric }) => metric === 'rpftrace.drops')).toMatchObject({
      ...{ unit: '{packet}', isMonotonic: true, value: 1234 },
      attributes: {
        'linux.skb.drop_reason': 'IP_RPFILTER',
        'rpftrace.rpf.verdict': 'no_reverse_route',
        'network.interface.name': 'dropin',
      },
    });
    expect(points.find(({ metric }) => metric === 'rpftrace.otlp.lost')?.value).toBe(0);
  });

  it('goes on without a collector, ends in time, and says how many events did not reach it', async () => {
    await collector.close();
    const trace = await startTrace([...here, '--otlp', collector.url]);
    await source.drop(100);
    const startedMs = Date.now();
    const { code, stderr, events } = await finish(trace);
    expect(Date.now() - startedMs).toBeLessThan(3000);
    expect(code).toBe(0);
    expect(emitted(events)).toBe(100);
    expect(stopOf(events).conservation.holds).toBe(true);
    expect(stderr).toContain(`${events.length} events did not reach the collector at ${collector.url}`);
    await collector.open();
  });

  it('tells the collector what it missed while it refused', async () => {
    collector.refusal = 400;
    const trace = await startTrace([...here, '--otlp', collector.url, '--interval', '50']);
    await source.drop(10);
    await collector.until(() => collector.refused > 0);
    collector.refusal = undefined;
    const flood = source.flood(1_000_000, { rate: 100 });
    await collector.until(() => collector.logsOf('rpftrace.lost').length > 0);
    await flood.stop();
    const { stdout, stderr } = await trace.stop();

    const lost = Number(collector.logsOf('rpftrace.lost')[0]?.attributes['rpftrace.lost.count']);
    expect(lost).toBeGreaterThan(0);
    const told = collector.logs.length - collector.logsOf('rpftrace.lost').length;
    expect(told + lost).toBe(stdout.split('\n').length - 1);
    expect(stderr).toContain(`${lost} events did not reach the collector`);
  });

  it('says when the counts do not arrive, too', async () => {
    collector.refusal = 404;
    const trace = await startTrace([...here, '--otlp', collector.url, '--no-otlp-logs']);
    await source.drop(10);
    const { stderr } = await trace.stop();
    expect(stderr).toContain(`the last counts did not reach the collector at ${collector.url}: Not Found`);
    expect(stderr).not.toContain('events did not reach');
  });

  it('counts what a receiver rejects of an export that it takes', async () => {
    collector.rejection = { count: 1, why: 'no such field' };
    const trace = await startTrace([...here, '--otlp', collector.url]);
    await source.drop(10);
    await trace.until(({ stderr }) => stderr.includes('the receiver rejects events: no such field'));
    await source.drop(10);
    await collector.until(() => collector.logsOf('rpftrace.lost').length > 0);
    const { code, stderr } = await trace.stop();
    expect(code).toBe(0);
    expect(stderr).toMatch(/\d events did not reach the collector at \S+: rejected: no such field/);
    expect(stderr.match(/the receiver rejects events/g)).toHaveLength(1);
    expect(stderr).toContain('the receiver rejects counts: no such field');
    expect(stderr).not.toMatch(/does not take|takes events again|last counts/);

    collector.rejection = { count: 0, why: 'this path is old' };
    const warned = await startTrace([...here, '--otlp', collector.url]);
    await source.drop(10);
    const { stderr: warning } = await warned.stop();
    expect(warning.match(/the receiver warns: this path is old/g)).toHaveLength(1);
    expect(warning).not.toContain('did not reach');
  });

  it('tells little of an answer that is none', async () => {
    collector.answer = `<html>${'a page of a proxy '.repeat(100)}</html>`;
    const trace = await startTrace([...here, '--otlp', collector.url]);
    await source.drop(10);
    const { code, stderr } = await trace.stop();
    expect(code).toBe(0);
    expect(stderr).toContain('Export succeeded but could not deserialize response');
    expect(stderr).not.toContain('proxy');
  });

  it('says which setting of OpenTelemetry it does not understand', async () => {
    const env = {
      OTEL_EXPORTER_OTLP_COMPRESSION: 'zip',
      OTEL_METRIC_EXPORT_INTERVAL: '15s',
      OTEL_EXPORTER_OTLP_CERTIFICATE: '/nowhere/ca.pem',
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http//somebody:secret@collector',
    };
    const trace = await startTrace([...here, '--otlp', collector.url], { env });
    const { code, stderr } = await trace.stop();
    expect(code).toBe(0);
    expect(stderr.match(/OTEL_EXPORTER_OTLP_COMPRESSION is invalid/g)).toHaveLength(1);
    expect(stderr).toContain('Failed to read root certificate file');
    expect(stderr).toContain("OTEL_METRIC_EXPORT_INTERVAL is '15s', no number of milliseconds");
    expect(stderr).not.toContain('secret');
  });

  it('sends events alone, or counts alone', async () => {
    const events = await startTrace([...here, '--otlp', collector.url, '--no-otlp-metrics']);
    await source.drop(10);
    await events.stop();
    expect([collector.logs.length > 0, collector.points.size]).toEqual([true, 0]);

    collector.forget();
    const counts = await startTrace([...here, '--otlp', collector.url, '--no-otlp-logs']);
    await source.drop(10);
    await counts.stop();
    expect([collector.logs.length, collector.points.size > 0]).toEqual([0, true]);

    const alone = await rpftrace(['trace', '--no-otlp-metrics']);
    expect(alone).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--no-otlp-metrics is for --otlp URL'),
    });
    const { code, stderr } = await rpftrace(['trace', '--no-otlp-logs', '--no-otlp-metrics']);
    expect(code).toBe(2);
    expect(stderr).toContain('leave nothing to send');
  });

  it('wants a URL', async () => {
    const { code, stderr } = await rpftrace(['trace', '--otlp', 'collector:4318']);
    expect(code).toBe(2);
    expect(stderr).toContain('It is a URL like http://collector:4318.');
  });
});

async function finish(trace: Awaited<ReturnType<typeof startTrace>>) {
  const ended = await trace.stop();
  return { ...ended, events: trace.events };
}
