import { describe, expect, it } from 'vitest';
import type { DropEvent } from '../../src/events.js';
import { findCase, type LabCase } from '../../src/lab/cases.js';
import type { LabPacket } from '../../src/lab/packet.js';
import { provoke, withSteps } from '../../src/lab/provoke.js';
import { send } from '../../src/lab/sender.js';
import { rpFilter } from '../../src/lab/steps.js';
import { ADDRESS, ADDRESS6 } from '../../src/lab/topology.js';
import { expectReconciled, inLab, locate, runTrace, useLab } from './support/lab.js';

/** The pod has no connection that it could belong to, and does not answer it. */
const RST_TO_POD = {
  from: 'node',
  device: 'cilium_host',
  kind: 'tcp',
  tcpFlags: '04',
  src: ADDRESS.ciliumHost,
  dst: ADDRESS.pod,
} as const;

/** Drops of every kind at once, told apart by how many there are. */
const MIX = {
  udp: [1, { from: 'pod', kind: 'udp', src: ADDRESS.pod, dst: ADDRESS.world, dstPort: 53 }],
  tcp: [2, { from: 'pod', kind: 'tcp', src: ADDRESS.pod, dst: ADDRESS.world, dstPort: 443 }],
  icmp: [4, { from: 'pod', kind: 'icmp', src: ADDRESS.pod, dst: ADDRESS.world }],
  pod2: [8, { from: 'pod2', kind: 'udp', src: ADDRESS.pod2, dst: ADDRESS.world, dstPort: 53 }],
  local: [16, { from: 'pod', kind: 'udp', src: ADDRESS.node, dst: ADDRESS.world, dstPort: 53 }],
  ipv6: [32, { from: 'pod', kind: 'udp', src: ADDRESS6.pod, dst: ADDRESS6.node, dstPort: 53 }],
  inPod: [64, RST_TO_POD],
} as const satisfies Record<string, readonly [number, LabPacket]>;

type Kind = keyof typeof MIX;

describe('a filter lets pass what it says, and counts the rest', () => {
  const lab = useLab();
  const node = () => inLab(lab, ['node']);
  const all = () => inLab(lab);

  const filters: readonly [string, () => string[], readonly Kind[]][] = [
    ['nothing', all, ['udp', 'tcp', 'icmp', 'pod2', 'local', 'ipv6', 'inPod']],
    ['--netns of the node', node, ['udp', 'tcp', 'icmp', 'pod2', 'local', 'ipv6']],
    ['--netns of the pod', () => inLab(lab, ['pod']), ['inPod']],
    ['--netns by name', () => ['--netns', lab.netns('pod')], ['inPod']],
    ['--netns by inode', () => ['--netns', String(lab.inode('pod'))], ['inPod']],
    ['--device', () => [...node(), '--device', 'lxcabce'], ['pod2']],
    [
      '--device with *',
      () => [...node(), '--device', 'lxc*'],
      ['udp', 'tcp', 'icmp', 'pod2', 'local', 'ipv6'],
    ],
    ['--device of the pod', () => [...all(), '--device', 'eth0'], ['inPod']],
    ['--reason', () => [...all(), '--reason', 'NO_SOCKET'], ['ipv6', 'inPod']],
    [
      '--reason, twice',
      () => [...all(), '--reason', 'NO_SOCKET', '--reason', 'IP_LOCAL_SOURCE'],
      ['local', 'ipv6', 'inPod'],
    ],
    ['--rpf-only', () => [...all(), '--rpf-only'], ['udp', 'tcp', 'icmp', 'pod2', 'local']],
    ['tcp', () => [...all(), 'tcp and dst port 443'], ['tcp']],
    ['udp', () => [...all(), 'udp dst port 53'], ['udp', 'pod2', 'local', 'ipv6']],
    ['icmp', () => [...all(), 'icmp[icmptype] == icmp-echo'], ['icmp']],
    ['an address', () => [...all(), `src host ${ADDRESS.pod2}`], ['pod2']],
    ['a network', () => [...all(), 'net 10.244.3.0/24'], ['udp', 'tcp', 'icmp', 'pod2', 'inPod']],
    ['an IPv6 address', () => [...all(), `ip6 and dst host ${ADDRESS6.node}`], ['ipv6']],
    ['a negation', () => [...node(), `not (host ${ADDRESS.pod} or ip6)`], ['pod2', 'local']],
    [
      'all together',
      () => [...node(), '--device', 'lxcabcd', '--rpf-only', 'udp and port 53'],
      ['udp', 'local'],
    ],
    ['what does not come', () => [...all(), 'sctp'], []],
  ];

  it.for(filters)('%s', async ([, args, kinds]) => {
    const traced = await runTrace(args(), () => provokeMix());

    const wanted = kinds.reduce((sum, kind) => sum + MIX[kind][0], 0);
    const came = locate(lab, traced.drops).map(({ event }) => event);
    expect(new Set(came.map(kindOf))).toEqual(new Set(kinds));
    expect(came.reduce((sum, event) => sum + event.count, 0)).toBe(wanted);
    expect(traced.stop.conservation).toEqual({ holds: true, difference: 0 });
    // What does not pass is counted all the same.
    const strict = MIX.udp[0] + MIX.tcp[0] + MIX.icmp[0] + MIX.pod2[0];
    expectReconciled(traced.stop, { netns: lab.inode('node'), kernel: strict, traced: strict });
  });

  async function provokeMix(): Promise<void> {
    await withSteps(lab, [rpFilter(1)], async () => {
      for (const [count, packet] of Object.values(MIX)) await send(lab, packet, { count });
    });
  }
});

describe('an expression sees a VLAN tag that the driver took out of the packet', () => {
  const lab = useLab();

  it.for([
    ['vlan', 3],
    ['vlan 100', 3],
    ['vlan 100 and udp', 3],
    ['vlan 101', 0],
    ['vlan 100 and tcp', 0],
    ['udp', 3],
  ] as const)('%s', async ([expression, matching]) => {
    const traced = await runTrace([...inLab(lab, ['node']), `(${expression}) and not ip6`], () =>
      provoke(lab, findCase('vlan') as LabCase, 3),
    );
    const tagged = locate(lab, traced.drops).filter(({ event }) => event.packet?.vlan_id === 100);
    expect(tagged.reduce((sum, { event }) => sum + event.count, 0)).toBe(matching);
  });
});

function kindOf({ packet, reason, device }: DropEvent): Kind | 'unknown' {
  if (packet?.family === 'ipv6') return 'ipv6';
  if (packet?.dst === ADDRESS.pod) return 'inPod';
  if (reason === 'IP_LOCAL_SOURCE' || reason === 'NOT_SPECIFIED') return 'local';
  if (device.name === 'lxcabce') return 'pod2';
  const { protocol } = packet ?? {};
  return protocol === 'udp' || protocol === 'tcp' || protocol === 'icmp' ? protocol : 'unknown';
}
