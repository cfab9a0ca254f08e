import { expect, it } from 'vitest';
import { CriClient } from '../../src/attribute/sources/cri/client.js';
import { CriSource } from '../../src/attribute/sources/cri/source.js';
import { run } from '../../src/lab/process.js';
import { RecordingObserver } from '../fixtures/observer.js';
import { Containerd } from './support/containerd.js';
import { withLab } from './support/lab.js';

it('tells of a pod with its network a moment after it came, and of its end', async () => {
  await withSource(async ({ containerd, source, observer, node }) => {
    expect(source.state).toMatchObject({ state: 'ok', at: containerd.socket, pods: 0 });

    const pod = await containerd.runPod({
      namespace: 'qfusion-admin',
      name: 'mssql-0',
      labels: { app: 'mssql' },
    });
    source.nudge();
    const container = await pod.runContainer('mssql');
    await observer.until(() => observer.named('mssql-0') !== undefined, 2000);
    await observer.until(() => observer.named('mssql-0')?.containers?.length === 2);

    expect(observer.named('mssql-0')).toEqual({
      key: pod.id,
      namespace: 'qfusion-admin',
      name: 'mssql-0',
      uid: pod.spec.uid,
      interfaces: [{ ips: pod.ips, hostDevice: pod.hostDevices[0], podDevice: 'eth0' }],
      hostNetwork: false,
      netns: pod.netns,
      containers: [{ id: pod.id }, { id: container, name: 'mssql' }],
      labels: { app: 'mssql' },
      createdMs: expect.closeTo(Date.now(), -5),
    });
    expect(pod.netns).not.toBe(node);
    await pod.remove();
    await observer.until(() => observer.pods.size === 0);
    expect(source.state).toMatchObject({ state: 'ok', pods: 0 });
  });
});

it('tells of a pod that came and was stopped between two looks', async () => {
  await withSource(async ({ containerd, source, observer }) => {
    const stopped = await containerd.runPod({ namespace: 'jobs', name: 'stopped' });
    await stopped.halt();
    source.nudge();
    await observer.until(() => observer.gonePods.some(({ name }) => name === 'stopped'));

    const [sighting] = observer.gonePods.filter(({ name }) => name === 'stopped');
    expect(sighting?.interfaces).toEqual([
      { ips: stopped.ips, hostDevice: stopped.hostDevices[0], podDevice: 'eth0' },
    ]);
    expect(observer.pods.size).toBe(0);
  });
});

it('tells all interfaces of a pod, and of one with the network of the node no address', async () => {
  await withSource(async ({ containerd, source, observer }) => {
    const two = await containerd.runPod({ namespace: 'default', name: 'router-two' });
    await containerd.runPod({ namespace: 'kube-system', name: 'agent', hostNetwork: true });
    source.nudge();
    await observer.until(() => observer.pods.size === 2);

    const interfaces = observer.named('router-two')?.interfaces ?? [];
    expect(interfaces.flatMap(({ podDevice }) => podDevice ?? [])).toEqual(['eth0', 'eth1']);
    expect(interfaces.flatMap(({ hostDevice }) => hostDevice ?? []).sort()).toEqual(
      [...two.hostDevices].sort(),
    );
    expect(interfaces.flatMap(({ ips }) => ips)).toHaveLength(4);
    expect(observer.named('agent')).toMatchObject({ hostNetwork: true, interfaces: [] });
    expect(observer.named('agent')).not.toHaveProperty('netns', expect.anything());
  });
});

it('keeps what it knows when the runtime crashes, says so, and goes on when it is back', async () => {
  await withSource(async ({ containerd, source, observer }) => {
    const pod = await containerd.runPod({ namespace: 'default', name: 'survivor' });
    source.nudge();
    await observer.until(() => observer.named('survivor') !== undefined);

    await containerd.kill();
    await observer.until(() => source.state.state === 'stale');
    expect(source.state.why).toMatch(/ECONNREFUSED/);
    expect(observer.named('survivor')).toBeDefined();

    await containerd.restart();
    await observer.until(() => source.state.state === 'ok');
    expect(observer.named('survivor')).toMatchObject({ netns: pod.netns });
    await pod.remove();
    await observer.until(() => observer.named('survivor') === undefined);
  });
});

it('hears of what happens to containers at once, where the runtime tells of it', async () => {
  await withSource(async ({ containerd }) => {
    const client = await CriClient.open(containerd.socket, 5000);
    let events = 0;
    let hasEnded = false;
    const stream = client.events(
      () => events++,
      () => {
        hasEnded = true;
      },
    );
    try {
      await using pod = await containerd.runPod({ namespace: 'default', name: 'noisy' });
      await pod.runContainer('one');
      await expect.poll(() => events > 0 || hasEnded, { timeout: 5000 }).toBe(true);
    } finally {
      stream.cancel();
      client.close();
    }
    const [, minor] = /containerd\S* 1\.(\d+)/.exec(await run('containerd', ['--version'])) ?? [];
    // CRI's GetContainerEvents came with containerd 1.7; 2.0 has it.
    expect(events > 0).toBe(minor === undefined || Number(minor) >= 7);
  });
});

interface Running {
  readonly containerd: Containerd;
  readonly source: CriSource;
  readonly observer: RecordingObserver;
  /** Inode number of the node's network namespace. */
  readonly node: number;
}

/** The source is told where containerd is and has asked it once. */
async function withSource(work: (running: Running) => Promise<void>): Promise<void> {
  await withLab(async (lab) => {
    await using containerd = await Containerd.start({ netns: lab.path('node'), network: 'lxc' });
    const source = new CriSource({ socket: containerd.socket });
    const observer = new RecordingObserver();
    source.start(observer);
    try {
      await observer.until(() => observer.syncs > 0);
      await work({ containerd, source, observer, node: lab.inode('node') });
    } finally {
      await source.stop();
    }
  });
}
