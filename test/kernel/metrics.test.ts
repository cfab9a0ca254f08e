import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { IncidentEvent } from '../../src/events.js';
import { Metrics } from '../../src/metrics/metrics.js';
import { Session } from '../../src/session.js';
import { NdjsonSink, PREPARED_BYTES } from '../../src/sink/ndjson.js';
import { Output } from '../../src/sink/output.js';
import { FakeSource } from '../fixtures/source.js';
import { DropSource } from '../process/support/drops.js';
import { lintMetrics, Prometheus } from '../support/prometheus.js';
import { addon } from './support/addon.js';

const root = join(import.meta.dirname, '..', '..');
const rules = join(root, 'deploy', 'prometheus', 'rules.yml');
const DROPS = 1234;
const POLL = { timeout: 20_000 };

describe('a real Prometheus', () => {
  const source = new DropSource();
  let session: Session;
  let metrics: Metrics;
  let server: Server;
  let prometheus: Prometheus;
  let incident: IncidentEvent;

  beforeAll(async () => {
    const pods = { sources: [new FakeSource('cilium', [pod], [])] };
    session = new Session(addon, {
      ...{ config: { netns: [source.inode], intervalMs: 100 }, filters: {}, node: 'n', pods },
      makeSink: (clock) => {
        metrics = new Metrics({
          stats: () => session.pipeline.capture.stats(),
          sources: () => session.pipeline.pods.states,
          sinks: () => ({ readers: 3 }),
        });
        const output = new Output({ file: '/dev/null', prepared: PREPARED_BYTES });
        return metrics.watch(new NdjsonSink(output, clock, 'n'));
      },
      onIncident: (event) => {
        incident = event;
      },
    });
    session.attach();
    session.announce();
    server = createServer(async (_request, response) => {
      response.setHeader('content-type', metrics.contentType).end(await metrics.text());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    prometheus = await Prometheus.start(`127.0.0.1:${(server.address() as AddressInfo).port}`, {
      rules: [rules],
    });
    await source.drop(DROPS, { flows: 7 });
  });

  afterAll(async () => {
    await prometheus.stop();
    server.close();
    await session.stop({ why: 'closed' });
    source.remove();
  });

  test('has each drop that was made, under its reason, verdict, pod and device', async () => {
    const [sample] = await prometheus.until('rpftrace_drops_total', ([first]) => first?.value === DROPS);
    expect(sample?.metric).toMatchObject({
      ...{ reason: 'IP_RPFILTER', verdict: 'no_reverse_route' },
      ...{ namespace: 'shop', pod: 'db-0', device: 'dropin' },
    });
    expect(source.counter).toBe(DROPS);
    const sum = await prometheus.query('sum(rpftrace_drops_total) + sum(rpftrace_lost_drops_total)');
    expect(sum[0]?.value).toBe((await prometheus.query('rpftrace_matched_drops_total'))[0]?.value);
  });

  test('has the sentence of the incident, and fires the alert that tells it', async () => {
    await prometheus.until('rpftrace_incident_drops_total', ([first]) => first?.value === DROPS);
    const [sample] = await prometheus.query('rpftrace_incident_info');
    expect(sample?.metric).toMatchObject({ incident: 'i-1', state: 'open', summary: incident.summary });
    await expect
      .poll(async () => (await prometheus.alerts()).RpftraceIncidentOpen, POLL)
      .toBe(incident.summary);
    const others = ['RpftraceLosesDrops', 'RpftraceReaderLosesEvents', 'RpftraceDown'];
    expect(Object.keys(await prometheus.alerts()).filter((name) => others.includes(name))).toEqual([]);
  });

  test('has what runs, what is attached, and what is missing', async () => {
    const values = async (name: string, label: string) =>
      (await prometheus.query(name)).map(({ metric }) => metric[label]);
    expect(await values('rpftrace_hook_info', 'hook')).toContain('tp_btf/kfree_skb');
    expect(await values('rpftrace_build_info', 'version')).toEqual([expect.stringMatching(/^\d+\.\d+\.\d+/)]);
    expect(await values('rpftrace_pod_source_up', 'source')).toEqual(['cilium']);
    expect((await prometheus.query('rpftrace_sink_lost_events_total'))[0]?.value).toBe(3);
  });

  test('understands each expression of the dashboard, and has the metrics that it asks for', async () => {
    const dashboard = readFileSync(join(root, 'deploy', 'grafana', 'rpftrace.json'), 'utf8');
    const expressions = [...dashboard.matchAll(/"expr": ("(?:[^"\\]|\\.)*")/g)].map(([, text]) =>
      String(JSON.parse(text as string))
        .replaceAll(/\$(job|instance)/g, '.*')
        .replaceAll(/\$__\w+/g, '5m'),
    );
    expect(expressions.length).toBeGreaterThan(10);
    for (const expression of expressions) await prometheus.query(expression);
    const exposed = await metrics.text();
    const wanted = new Set(expressions.join(' ').match(/\b(rpftrace|process)_\w+/g));
    expect([...wanted].filter((name) => !exposed.includes(`# TYPE ${name} `))).toEqual([]);
  });

  test('promtool has nothing to complain of', async () => {
    expect(lintMetrics(await metrics.text())).toBe('');
  });
});

test('the alert rules are right, and tell what they are meant to', () => {
  const directory = join(root, 'deploy', 'prometheus');
  execFileSync('promtool', ['check', 'rules', 'rules.yml'], { cwd: directory });
  execFileSync('promtool', ['test', 'rules', 'rules.test.yml'], { cwd: directory });
});

/** Whose packets the source sends. */
const pod = { key: 'p', namespace: 'shop', name: 'db-0', interfaces: [{ ips: ['203.0.113.9'] }] };
