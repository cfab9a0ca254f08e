import { expect, test } from 'vitest';
import { withSteps } from '../../src/lab/provoke.js';
import { send } from '../../src/lab/sender.js';
import { rpFilter } from '../../src/lab/steps.js';
import { ADDRESS } from '../../src/lab/topology.js';
import { startTrace } from '../process/support/program.js';
import { EVENTS, PODS } from '../support/kube-api.js';
import { eventually, kubeconfigOf, NODE, pod, startApi, TOKEN } from '../support/kubernetes.js';
import { inLab, useLab } from './support/lab.js';

const lab = useLab();

test('--kubernetes-events tells the pod of real drops what is behind them, in the words of the incident', async () => {
  const api = await startApi();
  api.token = TOKEN;
  const metadata = { name: 'mssql-0', namespace: 'qfusion-admin', uid: 'uid-mssql' };
  api.put(PODS, { ...pod('mssql-0', ADDRESS.pod), metadata });

  await withSteps(lab, [rpFilter(1)], async () => {
    const trace = await startTrace([
      ...['-o', 'ndjson', '--kubernetes-events', '--kubeconfig', kubeconfigOf(api), '--node', NODE],
      ...['--no-cri', '--no-cilium', '--no-peers', ...inLab(lab)],
    ]);
    await eventually(() => expect(api.watchers()).toBe(1));
    await send(
      lab,
      { from: 'pod', kind: 'tcp', src: ADDRESS.pod, dst: '203.0.113.9', dstPort: 443 },
      { count: 5 },
    );
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
