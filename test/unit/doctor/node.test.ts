import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { auditNode } from '../../../src/doctor/node.js';
import type { NativeSurvey } from '../../../src/native.js';
import { temporaryDirectory } from '../../fixtures/directory.js';
import { addonOf, address, conf, device, incident, NODE, POD, survey, VIA_HOST } from './machine.js';

describe('which devices pods are behind', () => {
  it('is told with both ends, the address and where it is known from', () => {
    expect(podsOf(incident())).toMatchObject([
      {
        device: 'lxcabcd',
        role: 'cilium_lxc',
        netns: NODE,
        peer_device: 'eth0',
        peer_netns: POD,
        ip: '10.244.3.136',
        ip_from: 'peer',
        would_drop: false,
      },
    ]);
  });

  it('leaves out pairs within one namespace, the uplink, and those that lead to a bridge', () => {
    const [node, pod] = incident() as [NativeSurvey, NativeSurvey];
    const uplink = device('eth0', 2, { linkIfindex: 7, linkNetns: 300 });
    const bridged = device('eth1', 5, { linkIfindex: 8, linkNetns: 300 });
    const other = survey(300, {
      devices: [
        device('br0', 1, { kind: 'bridge' }),
        device('veth8', 8, { masterIfindex: 1, linkIfindex: 5 }),
      ],
    });
    const surveys = [{ ...node, devices: [uplink, bridged, ...node.devices.slice(1)] }, pod, other];
    expect(podsOf(surveys).map(({ device }) => device)).toEqual(['lxcabcd', 'veth8']);
  });

  it('takes addresses from routes, else from neighbours, where the pod cannot be looked into', () => {
    const surveys = closed(incident());
    const addon = addonOf(surveys);
    const behind = [
      { ...address(12, '10.244.3.7'), from: 'route' as const },
      { ...address(12, '10.244.3.8'), from: 'neighbour' as const },
      { ...address(2, '192.0.2.1'), from: 'neighbour' as const },
    ];
    addon.behind = { cut: false, addresses: behind };
    expect(auditNode({ addon }, surveys).pods).toMatchObject([{ ip: '10.244.3.7', ip_from: 'route' }]);
    addon.behind = { cut: false, addresses: behind.slice(1) };
    expect(auditNode({ addon }, surveys).pods).toMatchObject([{ ip: '10.244.3.8', ip_from: 'neighbour' }]);
  });

  it('says why nothing can be said', () => {
    const unknown = podsOf(closed(incident({ rpFilter: 1 })));
    expect(unknown).toMatchObject([{ would_drop: null, passages: [] }]);
    expect(unknown[0]?.unknown).toContain('cannot be looked into');

    const [node, pod] = incident() as [NativeSurvey, NativeSurvey];
    const { all: _all, ...unread } = node;
    expect(podsOf([unread, pod])[0]?.unknown).toContain('cannot be read');
  });

  it('asks the bridge where the device is a port of one, and nobody where that is none of IP', () => {
    const [node, pod] = incident() as [NativeSurvey, NativeSurvey];
    const devices = node.devices.map((one) => (one.ifindex === 12 ? { ...one, masterIfindex: 20 } : one));
    const bridge = device('cni0', 20, { kind: 'bridge', conf: conf({ rpFilter: 1 }) });
    const numbered = {
      ...node,
      devices: [...devices, bridge],
      addresses: [...node.addresses, address(20, '10.244.3.254', 24)],
    };
    expect(podsOf([numbered, pod])).toMatchObject([
      { bridge: 'cni0', would_drop: true, mode: { device: 1 } },
    ]);
    const unnumbered = { ...node, devices: [...devices, bridge] };
    expect(podsOf([unnumbered, pod])[0]?.unknown).toContain('not routed here');
    const ovs = { ...node, devices: [...devices, { ...bridge, kind: 'openvswitch' }] };
    expect(podsOf([ovs, pod])[0]?.unknown).toContain('openvswitch');
  });
});

describe('what would become of packets', () => {
  it('is told for each destination, with why, fix and what is undone', () => {
    const [pod] = podsOf(incident({ rpFilter: 1 }));
    expect(pod?.would_drop).toBe(true);
    expect(pod?.passages.map(({ to, dst, outcome }) => [to, dst, outcome])).toEqual([
      ['outside', '203.0.113.1', 'unnumbered_mismatch'],
      ['node', '192.0.2.10', 'unnumbered_mismatch'],
      ['cilium_host', '10.244.3.1', 'unnumbered_mismatch'],
    ]);
    expect(pod?.passages[0]).toMatchObject({
      reverse_route: { device: 'cilium_host', prefix: '10.244.3.0/24' },
      explanation: expect.stringContaining(
        'would arrive on lxcabcd, but the route back to it leaves by cilium_host',
      ),
    });
    expect(pod?.passages[0]?.fix?.[0]).toContain('net.ipv4.conf.all.rp_filter=0');
  });

  it('is death on the way out where nothing is forwarded', () => {
    const [pod] = podsOf(incident({}, { forwarding: 0 }));
    expect(pod?.passages.map(({ to, outcome }) => [to, outcome])).toEqual([
      ['outside', 'not_forwarded'],
      ['node', 'accepted'],
      ['cilium_host', 'accepted'],
    ]);
    expect(pod?.passages[0]?.fix).toEqual([expect.stringContaining('net.ipv4.conf.all.forwarding=1')]);
  });

  it('is not known where the route is not certain, unless the outcome is the same all the same', () => {
    const surveys = incident({ rpFilter: 1 });
    const vrf = addonOf(surveys);
    vrf.policy = { ...vrf.policy, custom: true, vrf: true };
    expect(auditNode({ addon: vrf }, surveys).pods[0]).toMatchObject({
      would_drop: null,
      passages: expect.arrayContaining([expect.objectContaining({ outcome_unknown: 'there are VRFs' })]),
    });
    const ecmp = { ...VIA_HOST, hops: [4, 12], hopCount: 2 };
    const addon = addonOf(surveys, { '10.244.3.136': ecmp });
    expect(auditNode({ addon }, surveys).pods[0]?.would_drop).toBe(false);
    const half = addonOf(surveys, { '10.244.3.136': { ...ecmp, hopCount: 9 } });
    expect(auditNode({ addon: half }, surveys).pods[0]?.would_drop).toBe(null);
  });

  it('is told only of the namespaces that were asked for', () => {
    const addon = addonOf(incident({ rpFilter: 1 }));
    expect(auditNode({ addon, netns: [POD] }, addon.surveys).pods).toEqual([]);
  });

  it('never asks for a route as if a packet came in where no rule looks at it', () => {
    const addon = addonOf(incident({ rpFilter: 1 }));
    auditNode({ addon }, addon.surveys);
    expect(addon.asked.filter(({ iif }) => iif !== undefined)).toEqual([]);
  });
});

describe('what will break it later', () => {
  it.each([
    ['etc/sysctl.d/50-hardening.conf', '# hard\nnet.ipv4.conf.all.rp_filter = 1\n', 'sysctl_run', 2],
    ['etc/sysctl.conf', 'net.ipv4.conf.default.rp_filter=2\n', 'new_device', 1],
    [
      'usr/lib/sysctl.d/50-default.conf',
      '-net.ipv4.conf.all.rp_filter\nnet.ipv4.conf.*.rp_filter = 2\n',
      'sysctl_run',
      2,
    ],
    ['etc/sysctl.d/9.conf', 'net.ipv4.ip_forward = 0\n', 'sysctl_run', 1],
    [
      'etc/systemd/network/10-lxc.network',
      '[Match]\nName=lxc*\n[Network]\nIPv4ReversePathFilter=strict\n',
      'network_setup',
      4,
    ],
  ])('%s', (file, text, when, line) => {
    const root = rootWith({ [file]: text });
    const { later } = laterOf(incident(), root);
    expect(later).toMatchObject([{ when, file: `/${file}`, line, devices: ['lxcabcd'], devices_count: 1 }]);
    expect(later[0]?.fix).toHaveLength(1);
  });

  it('tuned, at its next start', () => {
    const root = rootWith({
      'etc/tuned/active_profile': 'hard\n',
      'etc/tuned/hard/tuned.conf': '[sysctl]\nnet.ipv4.conf.all.rp_filter=1\n',
    });
    expect(laterOf(incident(), root).later).toMatchObject([
      { when: 'tuned_start', file: '/etc/tuned/hard/tuned.conf', line: 2 },
    ]);
  });

  it('defaults that new devices begin with', () => {
    const surveys = incident().map((one) =>
      one.netns === NODE ? { ...one, defaults: conf({ rpFilter: 1 }) } : one,
    );
    const { later } = laterOf(surveys, rootWith({}));
    expect(later).toMatchObject([
      { when: 'new_device', key: 'net.ipv4.conf.default.rp_filter', value: '1', devices: ['lxcabcd'] },
    ]);
    expect(later[0]?.fix?.[0]).toContain('net.ipv4.conf.default.rp_filter=0');
  });

  it('is not what is so already, nor what changes nothing', () => {
    const same = rootWith({ 'etc/sysctl.conf': 'net.ipv4.conf.all.rp_filter=1\n' });
    expect(laterOf(incident({ rpFilter: 1 }), same).later).toEqual([]);
    const harmless = rootWith({
      'etc/sysctl.conf':
        'net.ipv4.conf.all.rp_filter=0\nnet.ipv4.conf.lxcabcd.rp_filter=0\nnet.ipv4.conf.eth0.rp_filter=1\n',
    });
    expect(laterOf(incident(), harmless).later).toEqual([]);
  });

  it('of what is dropped now the files that undo the fix are told with it, and no others', () => {
    const surveys = own(incident({ rpFilter: 1 }));
    const addon = addonOf(surveys);
    const same = rootWith({ 'etc/sysctl.conf': 'net.ipv4.conf.all.rp_filter=0\n' });
    expect(auditNode({ addon, root: same }, surveys).pods[0]?.passages[0]?.persisted).toBe(undefined);
    const root = rootWith({ 'etc/sysctl.conf': 'net.ipv4.conf.all.rp_filter=1\n' });
    expect(auditNode({ addon, root }, surveys).pods[0]?.passages[0]?.persisted).toEqual([
      { file: '/etc/sysctl.conf', line: 1, key: 'net.ipv4.conf.all.rp_filter', value: '1', by: 'sysctl' },
    ]);
  });
});

function podsOf(surveys: NativeSurvey[]) {
  return auditNode({ addon: addonOf(surveys), root: '/nowhere/' }, surveys).pods;
}

function laterOf(surveys: NativeSurvey[], root: string) {
  const here = own(surveys);
  return auditNode({ addon: addonOf(here), root }, here).later;
}

/** The node's namespace is the one that this test runs in: files are applied to that one. */
function own(surveys: readonly NativeSurvey[]): NativeSurvey[] {
  const { ino } = statSync('/proc/self/ns/net');
  const moved = (netns: number) => (netns === NODE ? ino : netns);
  return surveys.map((one) => ({
    ...one,
    netns: moved(one.netns),
    devices: one.devices.map((each) => ({ ...each, linkNetns: moved(each.linkNetns) })),
  }));
}

function closed([node, pod]: NativeSurvey[]): NativeSurvey[] {
  return [node as NativeSurvey, { ...(pod as NativeSurvey), errno: -1, devices: [], addresses: [] }];
}

function rootWith(files: Record<string, string>): string {
  const root = temporaryDirectory();
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return `${root}/`;
}
