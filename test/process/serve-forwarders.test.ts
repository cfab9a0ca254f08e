import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { useCollector } from '../support/collector.js';
import { DropSource } from './support/drops.js';
import { emitted, rpftrace } from './support/program.js';
import { type Served, scratch, startServe } from './support/serve.js';

const source = new DropSource();
const here = ['--netns', source.path];
const collector = useCollector();

afterAll(() => source.remove());

describe('serve --otlp', () => {
  test('sends what its readers get, to the stop event, and the counts', async () => {
    const serve = await startServe([...here, '--otlp', collector.url]);
    const reader = await serve.follow('/v1/events?since=1h');
    await source.drop(300, { flows: 3 });
    await reader.until(({ events }) => emitted(events) === 300);
    expect(await lostOf(serve)).toBe(0);
    const { code, stderr } = await serve.program.stop('SIGTERM');
    await reader.over;

    expect([code, stderr.includes('did not reach')]).toEqual([0, false]);
    expect(collector.logs).toHaveLength(reader.events.length);
    expect(collector.logsOf('rpftrace.stop')).toHaveLength(1);
    const counts = [...collector.points.values()].filter(({ metric }) => metric === 'rpftrace.drops');
    expect(counts.reduce((sum, { value }) => sum + value, 0)).toBe(300);
  });

  test('has no more series than limits.series allows, as /metrics; the sums stay exact', async () => {
    const env = { RPFTRACE_LIMITS_SERIES: '1' };
    const serve = await startServe([...here, '--otlp', collector.url], { env });
    const reader = await serve.follow('/v1/events?since=1h');
    await source.drop(10);
    source.write('net/ipv4/conf/all/rp_filter', '0');
    source.write('net/ipv4/conf/dropin/rp_filter', '0');
    await source.drop(5); // nobody listens at their port
    source.write('net/ipv4/conf/all/rp_filter', '1');
    await reader.until(({ events }) => emitted(events) === 15);
    const { body: metrics } = await serve.get('/metrics');
    expect(metrics).toContain('rpftrace_drop_series_limit 1\n');
    expect(metrics).toMatch(/^rpftrace_drops_total\{.*device="dropin".*\} 10$/m);
    expect(metrics).toMatch(/^rpftrace_drops_total\{.*device="_other".*\} 5$/m);
    await serve.program.stop('SIGTERM');
    const counts = [...collector.points.values()].filter(({ metric }) => metric === 'rpftrace.drops');
    expect(counts.map(({ value }) => value).sort()).toEqual([10, 5]);
    expect(counts.map(({ attributes }) => attributes['network.interface.name'])).toContain('_other');
  });

  test('loses to a collector that refuses, tells how much and why, and when it takes some again; readers lose nothing', async () => {
    collector.refusal = 400;
    const serve = await startServe([...here, '--otlp', collector.url, '--interval', '50']);
    const reader = await serve.follow('/v1/events?since=1h');
    await source.drop(10);
    await vi.waitFor(async () => expect(await lostOf(serve)).toBeGreaterThan(0), { timeout: 5000 });
    const { forwarders } = await serve.json<{ forwarders: object[] }>('/v1/status');
    expect(forwarders).toEqual([
      { name: 'otlp', lost: expect.any(Number), failure: expect.stringContaining('Bad Request') },
    ]);
    await serve.program.until(({ stderr }) =>
      stderr.includes(`the collector at ${collector.url} does not take events (`),
    );

    collector.refusal = undefined;
    const flood = source.flood(1_000_000, { rate: 100 });
    await serve.program.until(({ stderr }) => stderr.includes('takes events again'));
    await collector.until(() => collector.logsOf('rpftrace.lost').length > 0);
    await flood.stop();
    await serve.program.stop('SIGTERM');
    await reader.over;
    const lost = Number(collector.logsOf('rpftrace.lost')[0]?.attributes['rpftrace.lost.count']);
    expect(collector.logs.length - 1 + lost).toBe(reader.events.length);
  });

  test('goes on without a collector, and ends in time', async () => {
    await collector.close();
    const serve = await startServe([...here, '--otlp', collector.url]);
    const reader = await serve.follow('/v1/events?since=1h');
    await source.drop(100);
    await reader.until(({ events }) => emitted(events) === 100);
    const startedMs = Date.now();
    const { code, stderr } = await serve.program.stop('SIGTERM');
    await reader.over;
    expect(Date.now() - startedMs).toBeLessThan(4000);
    expect(code).toBe(0);
    expect(stderr).toContain(`${reader.events.length} events did not reach the collector`);
    await collector.open();
  });
});

describe('who gets events elsewhere', () => {
  test('is configured by file, environment and command line alike', async () => {
    const file = join(scratch(), 'rpftrace.yaml');
    writeFileSync(file, 'otlp: {url: "http://one:4318"}\nkubernetes_events: true\n');
    const check = async (args: string[], env = {}) =>
      JSON.parse((await rpftrace(['serve', '--check-config', ...args], { env })).stdout);
    expect(await check(['--config', file])).toMatchObject({
      ...{ otlp: { url: 'http://one:4318' }, kubernetes_events: true },
    });
    const env = { RPFTRACE_OTLP_URL: 'http://two:4318', RPFTRACE_KUBERNETES_EVENTS: 'false' };
    expect(await check(['--config', file], env)).toMatchObject({
      ...{ otlp: { url: 'http://two:4318' }, kubernetes_events: false },
    });
    const flags = ['--otlp', 'http://three:4318', '--no-otlp-logs', '--kubernetes-events'];
    expect(await check(flags, { ...env, RPFTRACE_OTLP_METRICS: 'true' })).toMatchObject({
      ...{ otlp: { url: 'http://three:4318', logs: false, metrics: true }, kubernetes_events: true },
    });
  });

  test('is a URL, and a key that is none is told', async () => {
    const file = join(scratch(), 'rpftrace.yaml');
    writeFileSync(file, 'otlp: {url: "collector:4318"}\nkubernets_events: true\n');
    const { code, stderr } = await rpftrace(['serve', '--check-config', '--config', file]);
    expect(code).toBe(2);
    expect(stderr).toContain(`${file}, line 1: otlp.url is no URL like http://collector:4318`);
    expect(stderr).toContain(
      `${file}, line 2: kubernets_events is no key here; did you mean kubernetes_events?`,
    );
  });

  test('changes with the next start, as SIGHUP tells', async () => {
    const directory = scratch();
    const file = join(directory, 'rpftrace.yaml');
    writeFileSync(file, 'limits: {readers: 1}\n');
    const serve = await startServe([...here, '--config', file], { directory });
    writeFileSync(file, `otlp: {url: "${collector.url}"}\nkubernetes_events: true\n`);
    serve.program.kill('SIGHUP');
    await serve.program.until(({ stderr }) =>
      stderr.includes('these take effect with the next start: otlp, kubernetes_events'),
    );
    expect(await serve.json('/v1/status')).toMatchObject({ forwarders: [] });
  });
});

/** As Prometheus sees it. */
async function lostOf(serve: Served): Promise<number> {
  const { body } = await serve.get('/metrics');
  return Number(/^rpftrace_sink_lost_events_total\{sink="otlp"\} (\d+)$/m.exec(body)?.[1]);
}
