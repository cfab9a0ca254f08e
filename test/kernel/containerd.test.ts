import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { rpFilter } from '../../src/lab/steps.js';
import { ADDRESS } from '../../src/lab/topology.js';
import { Containerd } from './support/containerd.js';
import { inLab, runTrace, withLab } from './support/lab.js';

describe('a real pod in a node that routes the pod network through cilium_host', () => {
  it('loses its packets to the reverse path filter, as in the incident', async () => {
    await withLab(async (lab) => {
      await using containerd = await Containerd.start({ netns: lab.path('node'), network: 'lxc' });
      const pod = await containerd.runPod({ namespace: 'qfusion-admin', name: 'mssql-0' });
      await pod.runContainer('mssql');
      const { in: place, run: script } = rpFilter(1);
      await lab.inside(place, script);

      const { drops } = await runTrace(inLab(lab, ['node']), () => pod.sendUdp(ADDRESS.world, { count: 5 }));

      expect(drops[0]).toMatchObject({
        reason: 'IP_RPFILTER',
        device: { name: pod.hostDevices[0], role: 'cilium_lxc', peer_netns: pod.netns, peer_name: 'eth0' },
        packet: { src: pod.ip, dst: ADDRESS.world },
      });
      await pod.remove();
      expect(existsSync(pod.netnsPath)).toBe(false);
    });
  });

  it('reaches the world, and the world it, where no filter is set', async () => {
    await withLab(async (lab) => {
      await using containerd = await Containerd.start({ netns: lab.path('node'), network: 'lxc' });
      const pod = await containerd.runPod({ namespace: 'default', name: 'client-two' });

      await lab.inside('world', `ping -c 1 -W 5 ${pod.ip}`);
      expect(pod.ips).toEqual([
        expect.stringMatching(/^10\.244\.3\./),
        expect.stringMatching(/^fd00:10:244:3::/),
      ]);
      expect(pod.hostDevices).toHaveLength(2);
    });
  });

  it('outlives a containerd that crashes, and can be removed by the next one', async () => {
    await withLab(async (lab) => {
      await using containerd = await Containerd.start({ netns: lab.path('node'), network: 'lxc' });
      const pod = await containerd.runPod({ namespace: 'default', name: 'survivor' });
      const other = await containerd.runPod({ namespace: 'kube-system', name: 'agent', hostNetwork: true });
      expect(other.netns).toBe(lab.inode('node'));

      await containerd.kill();
      await lab.inside('world', `ping -c 1 -W 5 ${pod.ip}`);
      await containerd.restart();
      await pod.remove();
      expect(existsSync(pod.netnsPath)).toBe(false);
    });
  });
});
