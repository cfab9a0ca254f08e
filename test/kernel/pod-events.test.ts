import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { withSteps } from '../../src/lab/provoke.js';
import { send } from '../../src/lab/sender.js';
import { rpFilter } from '../../src/lab/steps.js';
import { ADDRESS } from '../../src/lab/topology.js';
import { startAttached, startTrace } from '../process/support/program.js';
import { scratch, servedAt } from '../process/support/serve.js';
import { EVENTS, type Fault, type KubeApi, PODS } from '../support/kube-api.js';
import { eventually, kubeconfigOf, NODE, pod, startApi, TOKEN } from '../support/kubernetes.js';
import { inLab, useLab } from './support/lab.js';

const lab = useLab();

test('--kubernetes-events tells the pod of real drops what is behind them, in the words of the incident', async () => {
  const api = await startApiWithPod();

  await withSteps(lab, [rpFilter(1)], async () => {
    const trace = await startTrace(['-o', 'ndjson', ...writingTo(api)]);
    await eventually(() => expect(api.watchers()).toBe(1));
    await sendFromPod();
    await eventually(() => expect(api.created(EVENTS)).toHaveLength(1));
    const { stdout, stderr, code } = await trace.stop();
    expect([code, stderr.includes('did not reach Kubernetes')]).toEqual([0, false]);

    const incidents = stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line))
      .filter(({ kind }) => kind === 'incident');
    const [event] = api.created(EVENTS);
    expect(incidents.map(({ summary }) => summary)).toContain(event?.message);
    expect(event).toMatchObject({
      involvedObject: { kind: 'Pod', namespace: 'qfusion-admin', name: 'mssql-0', uid: 'uid-mssql' },
      type: 'Warning',
    });
    expect(api.created(EVENTS)).toHaveLength(1);
  });
});

test('serve does so too; while the server is away the Event waits for it, and readers wait for nothing', async () => {
  const api = await startApiWithPod();

  await withSteps(lab, [rpFilter(1)], async () => {
    const directory = scratch();
    const socket = join(directory, 'rpftrace.sock');
    const program = await startAttached('serve', ['--listen', `unix:${socket}`, ...writingTo(api)]);
    onTestFinished(() => program.kill('SIGKILL'));
    const serve = servedAt(program, directory, socket);
    await eventually(() => expect(api.watchers()).toBe(1));
    let refused = 0;
    const goAway: Fault = ({ method }, response) => {
      response.destroy();
      if (method === 'POST') refused++;
      return true;
    };
    api.faults.push(goAway);
    const reader = await serve.follow('/v1/events?kind=incident');
    await sendFromPod();
    await reader.until(({ events }) => events.length > 0);
    await eventually(() => expect(refused).toBeGreaterThan(1));
    expect(await serve.json('/v1/status')).toMatchObject({
      forwarders: [{ name: 'kubernetes_events', lost: 0, failure: expect.any(String) }],
    });

    api.faults.length = 0;
    await eventually(() => expect(api.created(EVENTS)).toHaveLength(1));
    expect(api.created(EVENTS)[0]).toMatchObject({ involvedObject: { name: 'mssql-0' } });
    const metrics = await serve.get('/metrics');
    expect(metrics.body).toContain('rpftrace_sink_lost_events_total{sink="kubernetes_events"} 0');
    expect((await program.stop('SIGTERM')).code).toBe(0);
  });
});

async function startApiWithPod(): Promise<KubeApi> {
  const api = await startApi();
  api.token = TOKEN;
  const metadata = { name: 'mssql-0', namespace: 'qfusion-admin', uid: 'uid-mssql' };
  api.put(PODS, { ...pod('mssql-0', ADDRESS.pod), metadata });
  return api;
}

function writingTo(api: KubeApi): string[] {
  return [
    ...['--kubernetes-events', '--kubeconfig', kubeconfigOf(api), '--node', NODE],
    ...['--no-cri', '--no-cilium', '--no-peers', ...inLab(lab)],
  ];
}

async function sendFromPod(): Promise<void> {
  const packet = { from: 'pod', kind: 'tcp', src: ADDRESS.pod, dst: '203.0.113.9', dstPort: 443 } as const;
  await send(lab, packet, { count: 5 });
}
