import { afterAll, beforeAll, expect, it } from 'vitest';
import { report as reportSchema } from '../../src/doctor/report.js';
import { rpFilter } from '../../src/lab/steps.js';
import { rpftrace } from '../process/support/program.js';
import { Containerd } from './support/containerd.js';
import { useLab } from './support/lab.js';

const lab = useLab();
let containerd: Containerd;

beforeAll(async () => {
  containerd = await Containerd.start({ netns: lab.path('node'), network: 'lxc' });
});
afterAll(() => containerd?.stop());

it('names the real pods that would lose packets, and those that would not', async () => {
  await using pod = await containerd.runPod({ namespace: 'qfusion-admin', name: 'mssql-0' });
  const args = ['doctor', '--netns', lab.netns('node'), '--no-cilium', '--no-kubernetes'];
  const named = [...args, '--cri-socket', containerd.socket];
  const fine = await rpftrace([...named, '--all']);
  expect(fine.code).toBe(0);
  expect(fine.stdout).toMatch(
    new RegExp(
      `^ {2}${pod.hostDevices[0]} \\(cilium_lxc\\) +${pod.ip} +qfusion-admin/mssql-0 +to outside`,
      'm',
    ),
  );

  const { in: place, run: script, undo } = rpFilter(1);
  await lab.inside(place, script);
  const sick = await rpftrace([...named, '-o', 'json']);
  const nameless = await rpftrace([...args, '--no-cri', '-o', 'json']);
  await lab.inside(place, undo);
  const { pods, sources } = reportSchema.parse(JSON.parse(sick.stdout));

  expect(sick.code).toBe(4);
  expect(pods.find(({ device }) => device === pod.hostDevices[0])).toMatchObject({
    namespace: 'qfusion-admin',
    name: 'mssql-0',
    ip: pod.ip,
    ip_from: 'peer',
    would_drop: true,
  });
  expect(sources).toContainEqual(expect.objectContaining({ name: 'cri', state: 'ok', pods: 1 }));
  expect(sources).toContainEqual(expect.objectContaining({ name: 'cilium', state: 'off' }));
  const other = reportSchema.parse(JSON.parse(nameless.stdout));
  expect(other.pods.find(({ device }) => device === pod.hostDevices[0])).toMatchObject({ would_drop: true });
  expect(other.pods.flatMap(({ name }) => name ?? [])).toEqual([]);
});
