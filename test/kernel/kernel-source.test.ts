import { expect, it } from 'vitest';
import { KernelSource } from '../../src/attribute/sources/kernel/source.js';
import { RecordingObserver } from '../fixtures/observer.js';
import { Containerd } from './support/containerd.js';
import { withLab } from './support/lab.js';

it('finds the UID, the containers and the network namespace of a real pod, and its end', async () => {
  await withLab(async (lab) => {
    await using containerd = await Containerd.start({ netns: lab.path('node'), network: 'lxc' });
    const pod = await containerd.runPod({ namespace: 'default', name: 'web' });
    const agent = await containerd.runPod({ namespace: 'kube-system', name: 'agent', hostNetwork: true });
    const container = await pod.runContainer('web');
    const source = new KernelSource();
    const observer = new RecordingObserver();
    source.start(observer);
    try {
      const { uid } = pod.spec;
      await observer.until(() => observer.pods.has(uid) && observer.pods.has(agent.spec.uid));
      expect(observer.pods.get(uid)).toEqual({
        key: uid,
        uid,
        interfaces: [],
        hostNetwork: false,
        netns: pod.netns,
        containers: [{ id: pod.id }, { id: container }].sort((a, b) => (a.id < b.id ? -1 : 1)),
        cgroups: expect.arrayContaining([
          { id: expect.any(Number), container: pod.id },
          { id: expect.any(Number), container },
        ]),
      });
      expect(observer.pods.get(agent.spec.uid)).toMatchObject({ hostNetwork: true });
      expect(observer.pods.get(agent.spec.uid)?.netns).toBeUndefined();

      await pod.remove();
      source.nudge();
      await observer.until(() => !observer.pods.has(uid));
    } finally {
      await source.stop();
    }
  });
});
