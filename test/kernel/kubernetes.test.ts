import { expect, test } from 'vitest';
import type { LabPacket } from '../../src/lab/packet.js';
import { withSteps } from '../../src/lab/provoke.js';
import { send } from '../../src/lab/sender.js';
import { rpFilter } from '../../src/lab/steps.js';
import { ADDRESS } from '../../src/lab/topology.js';
import { type Program, startTrace } from '../process/support/program.js';
import { PODS, SERVICES } from '../support/kube-api.js';
import { eventually, kubeconfigOf, NODE, pod, startApi, TOKEN } from '../support/kubernetes.js';
import { dropsOf, inLab, useLab } from './support/lab.js';

const lab = useLab();
const SYN: LabPacket = { from: 'pod', kind: 'tcp', src: ADDRESS.pod, dst: '10.96.0.1', dstPort: 443 };

test('a drop is named by what the Kubernetes API tells, after the end of its pod too', async () => {
  const api = await startApi();
  api.token = TOKEN;
  const ownerReferences = [{ kind: 'StatefulSet', name: 'mssql', controller: true }];
  const metadata = { name: 'mssql-0', namespace: 'qfusion-admin', uid: 'uid-mssql', ownerReferences };
  api.put(PODS, { ...pod('mssql-0', ADDRESS.pod), metadata });
  api.put(SERVICES, {
    metadata: { name: 'kubernetes', namespace: 'default' },
    spec: { clusterIP: '10.96.0.1' },
  });

  await withSteps(lab, [rpFilter(1)], async () => {
    const trace = await startTrace([
      ...['-o', 'ndjson', '--every', '--kubeconfig', kubeconfigOf(api), '--node', NODE],
      ...['--no-cri', '--no-cilium', ...inLab(lab)],
    ]);
    try {
      await eventually(() => expect([api.watchers(), api.watchers(SERVICES)]).toEqual([1, 1]));
      await sendOne(trace, 1);
      api.remove(PODS, 'mssql-0', 'qfusion-admin');
      await sendOne(trace, 2);
    } finally {
      trace.kill('SIGINT');
    }
    const { stdout, stderr } = await trace.ended;
    for (const drop of dropsOf(trace.events)) {
      expect(drop).toMatchObject({
        pod: {
          namespace: 'qfusion-admin',
          name: 'mssql-0',
          uid: 'uid-mssql',
          ip: ADDRESS.pod,
          workload: { kind: 'StatefulSet', name: 'mssql' },
          direction: 'from_pod',
          source: 'kubernetes',
        },
        peer: { ip: '10.96.0.1', kind: 'service', namespace: 'default', name: 'kubernetes' },
      });
    }
    const states = trace.events.flatMap((event) => (event.kind === 'stop' ? event.sources : []));
    expect(states).toContainEqual(expect.objectContaining({ name: 'kubernetes', state: 'ok', pods: 0 }));
    expect(stdout + stderr).not.toContain(TOKEN);
  });
});

async function sendOne(trace: Program, drops: number): Promise<void> {
  await send(lab, SYN, { count: 1 });
  await trace.until(({ events }) => dropsOf(events).length >= drops);
}
