import { describe, expect, it } from 'vitest';
import { ADDRESS, type Place } from '../../src/lab/topology.js';
import type { NativeSurvey, NativeSurveyDevice } from '../../src/native.js';
import { addon } from './support/addon.js';
import { useLab } from './support/lab.js';

describe('the survey of network namespaces', () => {
  const lab = useLab();

  it('begins with our own', () => {
    expect(addon.survey()[0]).toMatchObject({ netns: addon.netnsCounters()[0]?.netns, pid: process.pid });
  });

  it('finds both ends of each pair, wherever they lie', () => {
    const surveys = addon.survey();
    const lxc = deviceOf(at(surveys, 'node'), 'lxcabcd');
    const eth0 = deviceOf(at(surveys, 'pod'), 'eth0');

    expect(lxc).toMatchObject({ kind: 'veth', linkIfindex: eth0.ifindex, linkNetns: lab.inode('pod') });
    expect(eth0).toMatchObject({ kind: 'veth', linkIfindex: lxc.ifindex, linkNetns: lab.inode('node') });
    const host = deviceOf(at(surveys, 'node'), 'cilium_host');
    const net = deviceOf(at(surveys, 'node'), 'cilium_net');
    expect(host).toMatchObject({ linkIfindex: net.ifindex, linkNetns: lab.inode('node') });
  });

  it('tells which device the default route leaves by, and an address that is reached by it', () => {
    const surveys = addon.survey();
    for (const place of ['node', 'pod', 'world'] as const) {
      const { uplink, devices } = at(surveys, place);
      expect(devices.find(({ ifindex }) => ifindex === uplink?.ifindex)?.name).toBe('eth0');
      expect(addon.route(lab.inode(place), { dst: uplink?.outside ?? '' }).prefix).toBe('0.0.0.0/0');
    }
  });

  it('reads addresses and the settings that decide about sources', async () => {
    const conf = '/proc/sys/net/ipv4/conf';
    await lab.inside(
      'node',
      `echo 2 > ${conf}/all/rp_filter; echo -1 > ${conf}/lxcabcd/rp_filter
       echo 1 > ${conf}/lxcabcd/accept_local; echo 1 > ${conf}/all/src_valid_mark
       echo 1 > ${conf}/default/route_localnet`,
    );
    const node = at(addon.survey(), 'node');

    expect(node.all).toEqual({
      rpFilter: 2,
      acceptLocal: 0,
      srcValidMark: 1,
      routeLocalnet: 0,
      forwarding: 1,
    });
    expect(node.defaults).toMatchObject({ rpFilter: 0, routeLocalnet: 1 });
    expect(deviceOf(node, 'lxcabcd').conf).toMatchObject({ rpFilter: -1, acceptLocal: 1, forwarding: 1 });
    const { ifindex } = deviceOf(node, 'eth0');
    expect(node.addresses).toContainEqual({ ifindex, ip: ADDRESS.node, prefixLength: 24, scope: 0 });
    const { ifindex: lxc } = deviceOf(node, 'lxcabcd');
    expect(node.addresses.filter((address) => address.ifindex === lxc)).toEqual([]);
  });

  it('tells which addresses lie behind a device, by routes and by neighbours', async () => {
    await lab.inside(
      'node',
      `ip route add 10.244.3.200 dev lxcabcd
       ip neighbour add 10.244.3.201 lladdr 0e:00:0a:f4:03:02 dev lxcabcd nud permanent`,
    );
    const { ifindex } = deviceOf(at(addon.survey(), 'node'), 'lxcabcd');
    const { addresses, cut } = addon.neighbours(lab.inode('node'));

    expect(cut).toBe(false);
    expect(
      addresses.filter((address) => address.ifindex === ifindex).map(({ ip, from }) => [ip, from]),
    ).toEqual([
      ['10.244.3.200', 'route'],
      ['10.244.3.201', 'neighbour'],
    ]);
  });

  function at(surveys: readonly NativeSurvey[], place: Place): NativeSurvey {
    return surveys.find(({ netns }) => netns === lab.inode(place)) as NativeSurvey;
  }
});

describe('trials of hooks', () => {
  it('find that all works which the tracer needs', () => {
    const trials = new Map(addon.trials().map((trial) => [trial.name, trial]));
    for (const name of ['btf', 'tp_btf/kfree_skb', 'ringbuf', 'netlink'])
      expect(trials.get(name)).toMatchObject({ errno: 0, step: '' });
    expect(trials.get('tp_btf/kfree_skb')?.detail).toBeGreaterThanOrEqual(2);
  });

  it('say what failed of those that do not work', () => {
    const failed = addon.trials().filter(({ errno }) => errno !== 0);
    for (const { errno, step } of failed) {
      expect(errno).toBeLessThan(0);
      expect(['find', 'load', 'attach']).toContain(step);
    }
  });
});

function deviceOf({ devices }: NativeSurvey, name: string): NativeSurveyDevice {
  return devices.find((device) => device.name === name) as NativeSurveyDevice;
}
