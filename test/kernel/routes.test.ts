import { statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { DropEvent, SysctlChangeEvent } from '../../src/events.js';
import type { Lab } from '../../src/lab/lab.js';
import type { LabPacket } from '../../src/lab/packet.js';
import { run } from '../../src/lab/process.js';
import { send } from '../../src/lab/sender.js';
import { ADDRESS } from '../../src/lab/topology.js';
import { type Program, startTrace } from '../process/support/program.js';
import { dropsOf, inLab, useLab } from './support/lab.js';

const UDP: LabPacket = { from: 'pod', kind: 'udp', src: ADDRESS.pod, dst: ADDRESS.world };
const ALL = '/proc/sys/net/ipv4/conf/all/rp_filter';

describe('the drop that follows a change at once', () => {
  const lab = useLab();

  it('carries the route that there is then, not the one that was asked for before', async () => {
    await tracing(lab, ['--every'], async (trace) => {
      await lab.inside('node', `echo 1 > ${ALL}`);
      const prefixes = ['10.244.3.0/24', '10.244.3.136/32', '10.244.3.128/25', '10.244.3.136/32'];
      for (let round = 0; round < 5; round++) {
        for (const prefix of prefixes) {
          await lab.inside('node', `ip route replace ${prefix} via 10.244.3.1 dev cilium_host`);
          const drop = await nextDrop(lab, trace);
          expect(drop.rpf?.reverse_route?.prefix).toBe(prefix);
          if (prefix !== '10.244.3.0/24') await lab.inside('node', `ip route delete ${prefix}`);
        }
      }
    });
  });

  it('follows rules, addresses and devices too', async () => {
    await tracing(lab, ['--every'], async (trace) => {
      await lab.inside('node', `echo 1 > ${ALL}`);
      expect((await nextDrop(lab, trace)).rpf?.reverse_route).toMatchObject({ device: 'cilium_host' });

      await lab.inside('node', 'ip rule add pref 50 to 10.244.3.136 prohibit');
      expect((await nextDrop(lab, trace)).rpf?.reverse_route).toMatchObject({ lookup: 'rule' });
      await lab.inside('node', 'ip rule delete pref 50');
      expect((await nextDrop(lab, trace)).rpf?.reverse_route).toMatchObject({ prefix: '10.244.3.0/24' });

      await lab.inside('node', 'ip address add 10.244.3.129/25 dev cilium_net');
      expect((await nextDrop(lab, trace)).rpf?.reverse_route).toMatchObject({ device: 'cilium_net' });
      await lab.inside('node', 'ip address delete 10.244.3.129/25 dev cilium_net');
      expect((await nextDrop(lab, trace)).rpf?.reverse_route).toMatchObject({ device: 'cilium_host' });

      await lab.inside('node', 'ip link set cilium_host down');
      expect((await nextDrop(lab, trace)).rpf?.reverse_route).toMatchObject({ device: 'eth0' });
      await lab.inside('node', RESTORE);
    });
  });

  it('is right after routes have flapped 1,000 times', async () => {
    await tracing(lab, [], async (trace) => {
      await lab.inside('node', `echo 1 > ${ALL}`);
      await nextDrop(lab, trace);
      const lines = Array.from(
        { length: 1000 },
        (_, index) => `route ${index % 2 ? 'delete' : 'add'} 10.244.3.136/32 via 10.244.3.1 dev cilium_host`,
      );
      await lab.inside('node', `printf '%s\\n' '${lines.join("' '")}' | ip -batch -`);
      await lab.inside('node', 'ip route add 10.244.3.136/31 via 10.244.3.1 dev cilium_host');
      await send(lab, { ...UDP, src: '10.244.3.137' }, { count: 1 });
      await trace.until(({ events }) => dropsOf(events).length > 1);
      const last = dropsOf(trace.events).at(-1);
      expect(last?.rpf?.reverse_route?.prefix).toBe('10.244.3.136/31');
      await lab.inside('node', 'ip route delete 10.244.3.136/31');
    });
  });
});

describe('a setting that nobody was seen to write', () => {
  const lab = useLab();

  it('is told in milliseconds, by the kernel, without a drop', async () => {
    await tracing(lab, [], async (trace) => {
      const script = join(import.meta.dirname, 'support/set_inet_conf.py');
      await run('ip', ['netns', 'exec', lab.netns('node'), 'python3', script, 'lxcabcd', '1']);
      const change = await changeIn(trace);
      expect(change).toMatchObject({
        name: 'net.ipv4.conf.lxcabcd.rp_filter',
        old: '0',
        new: '1',
        seen_by: 'netconf',
        effective: true,
        writer_unknown: expect.stringContaining('netlink'),
      });
      expect(change).not.toHaveProperty('writer');
      await run('ip', ['netns', 'exec', lab.netns('node'), 'python3', script, 'lxcabcd', '0']);
    });
  });

  it('a new device that takes over the check from default is told', async () => {
    await tracing(lab, [], async (trace) => {
      await lab.inside('node', 'echo 2 > /proc/sys/net/ipv4/conf/default/rp_filter');
      await lab.inside('node', 'ip link add va type veth peer name vb');
      await trace.until(({ events }) => changesOf(events).some(({ device }) => device === 'va'));
      const change = changesOf(trace.events).find(({ device }) => device === 'va');
      expect(change).toMatchObject({ new: '2', seen_by: 'netconf', old_unknown: 'the device is new' });
      await lab.inside('node', 'ip link delete va; echo 0 > /proc/sys/net/ipv4/conf/default/rp_filter');
    });
  });

  it('what is written is told once, with who wrote it', async () => {
    await tracing(lab, [], async (trace) => {
      await lab.inside('node', `for i in 1 2 3 4 5 6; do echo $((i % 2)) > ${ALL}; done`);
      await lab.inside('node', 'echo 1 > /proc/sys/net/ipv4/conf/cilium_host/rp_filter');
      await trace.until(({ events }) => changesOf(events).some(({ device }) => device === 'cilium_host'));
      await lab.inside('node', 'echo 0 > /proc/sys/net/ipv4/conf/cilium_host/rp_filter');
      const { stdout } = await trace.stop();
      expect(stdout).not.toContain('"seen_by":"netconf"');
      expect(stdout).not.toContain('"seen_by":"reconcile"');
    });
  });
});

describe('a namespace that is listened to', () => {
  it('lives no longer for that', async () => {
    const name = `rpfk${process.pid}held`;
    await run('ip', ['netns', 'add', name]);
    const inode = statSync(`/run/netns/${name}`).ino;
    const host = `rk${process.pid}h`;
    const trace = await startTrace(['-o', 'ndjson', '--netns', `/run/netns/${name}`]);
    try {
      await run('ip', ['link', 'add', host, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name]);
      await run('ip', ['netns', 'delete', name]);
      const began = performance.now();
      while (await exists(host)) expect(performance.now() - began).toBeLessThan(5000);
      expect(inode).toBeGreaterThan(0);
    } finally {
      await trace.stop();
    }
  });
});

/** What these tests change of the node. */
const RESTORE = `
  ip link set cilium_host up
  ip route replace 10.244.3.1 dev cilium_host scope link
  ip route replace 10.244.3.0/24 via 10.244.3.1 dev cilium_host src 10.244.3.1`;

async function tracing(lab: Lab, args: string[], work: (trace: Program) => Promise<void>): Promise<void> {
  const trace = await startTrace(['-o', 'ndjson', ...args, ...inLab(lab, ['node'])]);
  try {
    await work(trace);
  } finally {
    await trace.stop();
    await lab.inside('node', `echo 0 > ${ALL}`);
  }
}

/** Provokes a drop, and waits for it. */
async function nextDrop(lab: Lab, trace: Program): Promise<DropEvent> {
  const before = dropsOf(trace.events).length;
  await send(lab, UDP, { count: 1 });
  await trace.until(({ events }) => dropsOf(events).length > before);
  return dropsOf(trace.events)[before] as DropEvent;
}

function changesOf(events: Program['events']): SysctlChangeEvent[] {
  return events.filter((event) => event.kind === 'sysctl_change');
}

async function changeIn(trace: Program): Promise<SysctlChangeEvent> {
  await trace.until(({ events }) => changesOf(events).length > 0);
  return changesOf(trace.events)[0] as SysctlChangeEvent;
}

async function exists(device: string): Promise<boolean> {
  return await run('ip', ['link', 'show', device]).then(
    () => true,
    () => false,
  );
}
