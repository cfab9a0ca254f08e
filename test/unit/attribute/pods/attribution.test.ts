import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { attributeDevice } from '../../../../src/attribute/device.js';
import { LinkMap } from '../../../../src/attribute/links.js';
import { Grounds, PodAttributor } from '../../../../src/attribute/pods/attribution.js';
import { PodIndex } from '../../../../src/attribute/pods/pod-index.js';
import type { PodSighting, SourceName } from '../../../../src/attribute/source.js';
import { FLAGS } from '../../../../src/record/layout.gen.js';
import type { DropFields } from '../../../fixtures/batch.js';
import { readDrop } from '../../../fixtures/reading.js';
import { mssql } from '../../../fixtures/source.js';

const HOST = 4_026_531_840;
const POD_NETNS = 4_026_532_177;
const POD_IP = [10, 244, 3, 136];
const OTHER_IP = [10, 244, 3, 9];
const FAR_IP = [10, 96, 0, 1];
const IP4 = FLAGS.DEVICE | FLAGS.CONF | FLAGS.L3 | FLAGS.L4_PROTOCOL | FLAGS.L4;
/** The uplink. */
const ETH0 = { device: 'eth0', ifindex: 2, deviceKind: '' };
const CILIUM_HOST = { device: 'cilium_host', ifindex: 7, deviceKind: 'veth' };
const MSSQL = { namespace: 'qfusion-admin', name: 'mssql-0' };
const OTHER: PodSighting = {
  key: '2',
  namespace: 'shop',
  name: 'cart-1',
  interfaces: [{ ips: ['10.244.3.9'], hostDevice: 'lxcother', hostIfindex: 14 }],
};

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a drop in the host', () => {
  test('on the pod’s own device, from the pod', () => {
    const { ask, tell } = world();
    tell(
      mssql({
        workload: { kind: 'StatefulSet', name: 'mssql' },
        containers: [{ id: 's' }, { id: 'c', name: 'mssql' }],
      }),
    );
    expect(ask({})).toEqual({
      pod: {
        ...MSSQL,
        ip: '10.244.3.136',
        workload: { kind: 'StatefulSet', name: 'mssql' },
        container: 'mssql',
        direction: 'from_pod',
        source: 'cilium',
      },
      cilium: { endpoint_id: 1234, identity: 4711 },
    });
  });

  test('on the pod’s own device, to the pod', () => {
    const { ask, tell } = world();
    tell(mssql());
    expect(ask({ src: FAR_IP, dst: POD_IP }).pod).toMatchObject({
      ...MSSQL,
      direction: 'to_pod',
      ip: '10.244.3.136',
    });
  });

  test('a device is known by the network namespace of its other end, too', () => {
    const { ask, tell } = world();
    tell({ key: 'k', ...MSSQL, netns: POD_NETNS, interfaces: [] });
    const peer = { flags: IP4 | FLAGS.PEER, peerNetns: POD_NETNS, peerIfindex: 2, peerDevice: 'eth0' };
    expect(ask({ ...peer, device: 'veth123', ifindex: 50 }).pod).toMatchObject({
      ...MSSQL,
      direction: 'from_pod',
    });
  });

  test('without addresses the device tells the pod, but no direction', () => {
    const { ask, tell } = world();
    tell(mssql());
    const { pod } = ask({ flags: FLAGS.DEVICE | FLAGS.L3_ABSENT, ethertype: 0x0806 });
    expect(pod).toMatchObject({ ...MSSQL, ip: '10.244.3.136' });
    expect(pod).not.toHaveProperty('direction');
  });

  test.each([
    ['the uplink', ETH0],
    ['cilium_host', CILIUM_HOST],
    ['no device at all', { flags: IP4 & ~FLAGS.DEVICE }],
  ])('of a reply that dies on %s on its way to the pod', (_, place) => {
    const { ask, tell } = world();
    tell(mssql());
    expect(ask({ ...place, reason: 3, src: FAR_IP, dst: POD_IP }).pod).toMatchObject({
      ...MSSQL,
      direction: 'to_pod',
    });
  });

  test('between two pods of the node names both', () => {
    const { ask, tell } = world();
    tell(mssql());
    tell(OTHER);
    expect(ask({ dst: OTHER_IP })).toMatchObject({
      pod: { ...MSSQL, direction: 'from_pod' },
      peer: { ip: '10.244.3.9', kind: 'pod', namespace: 'shop', name: 'cart-1' },
    });
    expect(ask({ device: 'lxcother', ifindex: 14, dst: OTHER_IP })).toMatchObject({
      pod: { name: 'cart-1', direction: 'to_pod' },
      peer: { ip: '10.244.3.136', name: 'mssql-0' },
    });
  });

  test('of neither a pod nor its device says nothing', () => {
    const { ask, tell } = world();
    tell(mssql());
    expect(ask({ ...ETH0, src: [192, 0, 2, 1], dst: [192, 0, 2, 2] })).toEqual({});
  });
});

describe('a drop in the pod’s own network namespace', () => {
  const inside = { netns: POD_NETNS, device: 'eth0', ifindex: 2 };

  test('is the pod’s in either direction', () => {
    const { ask, tell } = world();
    tell(mssql({ netns: POD_NETNS }));
    expect(ask({ ...inside, dst: FAR_IP }).pod).toMatchObject({ ...MSSQL, direction: 'from_pod' });
    expect(ask({ ...inside, src: FAR_IP, dst: POD_IP }).pod).toMatchObject({ ...MSSQL, direction: 'to_pod' });
    expect(ask({ ...inside, flags: FLAGS.L3, src: FAR_IP, dst: POD_IP }).pod).toMatchObject(MSSQL);
  });

  test('is not that of a pod that is gone, unless the address says so: inode numbers are given again', () => {
    const { ask, tell, observer } = world();
    tell(mssql({ netns: POD_NETNS }));
    observer.podGone('1234');
    vi.advanceTimersByTime(1000);
    expect(ask({ ...inside, src: OTHER_IP, dst: FAR_IP })).toEqual({});
    expect(ask({ ...inside, dst: FAR_IP }).pod).toMatchObject(MSSQL);
  });
});

describe('a drop of a packet with a socket', () => {
  const AGENT: PodSighting = {
    key: '9',
    namespace: 'kube-system',
    name: 'agent',
    interfaces: [],
    hostNetwork: true,
    containers: [
      { id: 'a', name: 'proxy' },
      { id: 'b', name: 'logger' },
    ],
    cgroups: [
      { id: 5001, container: 'a' },
      { id: 5002, container: 'b' },
    ],
  };
  const NODE_IP = [192, 0, 2, 10];
  const SENT = { ...ETH0, reason: 3, src: NODE_IP, dst: FAR_IP, socketCgroup: 5002 };

  test('names the pod with the network of the node that sent it, and the container', () => {
    const { ask, tell, observer } = world();
    observer.node({ ips: ['192.0.2.10'] });
    tell(AGENT);
    expect(ask(SENT)).toEqual({
      pod: {
        namespace: 'kube-system',
        name: 'agent',
        ip: '192.0.2.10',
        container: 'logger',
        direction: 'from_pod',
        source: 'cilium',
      },
    });
    expect(ask({ ...SENT, socketCgroup: 5001 }).pod?.container).toBe('proxy');
  });

  test('names the one that it was for', () => {
    const { ask, tell } = world();
    tell(AGENT);
    const flags = IP4 | FLAGS.SOCKET_RECEIVES;
    const { pod } = ask({ ...SENT, flags, src: FAR_IP, dst: NODE_IP });
    expect(pod).toMatchObject({ name: 'agent', direction: 'to_pod' });
    expect(pod).not.toHaveProperty('ip');
  });

  test('is that of a pod with addresses of its own first, and names the other end by the socket', () => {
    const { ask, tell } = world();
    tell(AGENT);
    tell(mssql());
    expect(ask({ ...SENT, dst: POD_IP })).toMatchObject({
      pod: { ...MSSQL, direction: 'to_pod' },
      peer: { ip: '192.0.2.10', kind: 'pod', namespace: 'kube-system', name: 'agent' },
    });
    const flags = IP4 | FLAGS.SOCKET_RECEIVES;
    expect(ask({ ...SENT, flags, src: POD_IP, dst: NODE_IP })).toMatchObject({
      pod: { ...MSSQL, direction: 'from_pod' },
      peer: { ip: '192.0.2.10', kind: 'pod', name: 'agent' },
    });
  });

  test('names the container of a pod with several', () => {
    const { ask, tell } = world();
    const { containers, cgroups } = AGENT;
    tell(mssql({ containers, cgroups }));
    expect(ask({}).pod).not.toHaveProperty('container');
    expect(ask({ socketCgroup: 5001 }).pod?.container).toBe('proxy');
  });

  test('tells whose device it is where nothing else does', () => {
    const { ask, tell } = world();
    const { cgroups } = AGENT;
    tell({ key: 'k', ...MSSQL, interfaces: [], cgroups });
    expect(ask({ device: 'lxcnew', socketCgroup: 5001 }).pod).toMatchObject({
      ...MSSQL,
      direction: 'from_pod',
    });
  });

  test('of nobody that is known has sources look again, once for each cgroup', () => {
    const { ask, tell, nudges } = world();
    tell(mssql());
    const before = nudges();
    for (const socketCgroup of [7, 7, 8, 7]) expect(ask({ ...SENT, socketCgroup })).toEqual({});
    expect(nudges() - before).toBe(2);
  });

  test('is told anew when the cgroup becomes known', () => {
    const { index, tell } = world();
    const pods = new PodAttributor(index, { hasSources: () => true });
    const grounds = new Grounds();
    const drop = readDrop({ flags: IP4, netns: HOST, ...SENT });
    const device = attributeDevice(drop, { ownNetns: HOST, links: new LinkMap() });
    tell(mssql());
    pods.attribute(drop, { device, isRefusedSource: false }, Date.now(), grounds);
    expect(pods.isCurrent(grounds)).toBe(true);
    tell(AGENT);
    expect(pods.isCurrent(grounds)).toBe(false);
  });
});

describe('what does not fit together', () => {
  test('another pod’s address on a device: the pod is that of the device, both are shown', () => {
    const { ask, tell } = world();
    tell(mssql());
    tell(OTHER);
    expect(ask({ dst: FAR_IP }).pod).not.toHaveProperty('conflict');
    expect(ask({ src: OTHER_IP, dst: FAR_IP }).pod).toMatchObject({
      ...MSSQL,
      direction: 'from_pod',
      conflict: { kind: 'address', namespace: 'shop', name: 'cart-1', source: 'cilium' },
    });
  });

  test('a pod’s address that comes in by the uplink', () => {
    const { ask, tell } = world();
    tell(mssql());
    expect(ask({ ...ETH0, dst: FAR_IP }).pod).toMatchObject({
      ...MSSQL,
      conflict: { kind: 'device', device: 'eth0' },
    });
    // Not where the packet may have been on its way out.
    expect(ask({ ...ETH0, dst: FAR_IP, reason: 2 }).pod).not.toHaveProperty('conflict');
  });

  test('a pod’s address on an unknown pod’s device names nobody, and has the sources look again', () => {
    const { ask, tell, nudges } = world();
    tell(mssql());
    const answer = ask({ device: 'lxcnew', ifindex: 99 });
    expect(answer).not.toHaveProperty('pod');
    expect(answer.pod_unknown).toContain('qfusion-admin/mssql-0');
    expect(nudges()).toBe(1);
  });

  test('an address that went to a new pod is never given to the old one', () => {
    const { ask, tell, observer } = world();
    tell(mssql({ createdMs: 500_000 }));
    observer.podGone('1234');
    vi.advanceTimersByTime(5000);
    const ip = { interfaces: [{ ips: ['10.244.3.136'], hostDevice: 'lxcnew', hostIfindex: 30 }] };
    tell({ key: '9', namespace: 'shop', name: 'new', createdMs: Date.now(), ...ip });
    const reply = { ...ETH0, reason: 3, src: FAR_IP, dst: POD_IP };
    expect(ask(reply, 1_000_000 - 500).pod).toMatchObject({ name: 'mssql-0' });
    expect(ask(reply, 1_005_001).pod).toMatchObject({ name: 'new' });
    expect(ask({ device: 'lxcnew', ifindex: 30 }, 1_005_001).pod).toMatchObject({ name: 'new' });
  });

  test('where its times leave two, the reason says which', () => {
    const { ask, tell } = world();
    tell(mssql({ createdMs: 500_000 }));
    vi.advanceTimersByTime(5000);
    tell({
      key: '9',
      namespace: 'shop',
      name: 'new',
      createdMs: 1_001_000,
      interfaces: [{ ips: ['10.244.3.136'] }],
    });
    const reply = { ...ETH0, reason: 3, src: FAR_IP, dst: POD_IP };
    expect(ask(reply, 1_002_000).pod_unknown).toContain('qfusion-admin/mssql-0, shop/new');
  });
});

describe('an unknown pod', () => {
  test('has a reason where the device is one’s, and wakes the sources', () => {
    const { ask, nudges } = world();
    expect(ask({ dst: [203, 0, 113, 9] })).toEqual({
      pod_unknown: 'no source knows a pod with device lxcabcd or with this address',
      peer: { ip: '203.0.113.9', kind: 'external' },
    });
    expect(nudges()).toBe(1);
  });

  test('whose name nobody knows yet wakes the sources too', () => {
    const { ask, tell, nudges } = world({ source: 'kernel' });
    tell({ key: 'u', uid: 'u', interfaces: [], netns: POD_NETNS });
    expect(ask({ netns: POD_NETNS }).pod).toMatchObject({ uid: 'u', source: 'kernel' });
    expect(nudges()).toBe(1);
  });

  test('says so where nobody could know any', () => {
    const { ask } = world({ hasSources: false });
    expect(ask({})).toEqual({ pod_unknown: 'nothing on this node tells of pods' });
  });
});

describe('a pod that is gone', () => {
  test('is named for drops before its end and within a minute after it', () => {
    const { ask, tell, observer } = world();
    tell(mssql());
    observer.podGone('1234');
    vi.advanceTimersByTime(1000);
    expect(ask({}).pod).toMatchObject(MSSQL);
    vi.advanceTimersByTime(70_000);
    expect(ask({})).not.toHaveProperty('pod');
  });
});

describe('the other end', () => {
  test.each([
    ['service', { ip: '10.96.0.1', kind: 'service', namespace: 'default', name: 'kubernetes' }],
    ['node', { ip: '10.0.0.2', kind: 'node', name: 'node-2' }],
    ['cilium_host of another node', { ip: '10.244.4.1', kind: 'cilium_host', name: 'node-2' }],
    ['its own cilium_host', { ip: '10.244.3.1', kind: 'cilium_host', name: 'node-1' }],
    ['its own node', { ip: '10.0.0.1', kind: 'node', name: 'node-1' }],
    ['a public address', { ip: '203.0.113.9', kind: 'external' }],
  ])('%s', (_, peer) => {
    const { ask, tell, observer } = world();
    tell(mssql());
    observer.peer({
      key: 'a',
      kind: 'service',
      ips: ['10.96.0.1'],
      namespace: 'default',
      name: 'kubernetes',
    });
    observer.peer({ key: 'b', kind: 'node', ips: ['10.0.0.2'], name: 'node-2' });
    observer.peer({ key: 'c', kind: 'cilium_host', ips: ['10.244.4.1'], name: 'node-2' });
    observer.node({
      name: 'node-1',
      ips: ['10.0.0.1'],
      hostDevice: { name: 'cilium_host', ips: ['10.244.3.1'] },
    });
    expect(ask({ dst: peer.ip.split('.').map(Number) }).peer).toEqual(peer);
  });

  test('of a private address that nobody tells of nothing is said', () => {
    const { ask, tell } = world();
    tell(mssql());
    expect(ask({ dst: FAR_IP })).not.toHaveProperty('peer');
  });

  test('it is outside of the cluster where all services and pods are told', () => {
    const { ask, tell, index } = world();
    tell(mssql());
    index.observer('kubernetes').peer({ key: 'a', kind: 'service', ips: ['10.96.0.1'] });
    index.observer('kubernetes').node({ podNetworks: ['10.244.0.0/16'] });
    expect(ask({ dst: [10, 9, 9, 9] }).peer).toEqual({ ip: '10.9.9.9', kind: 'external' });
    expect(ask({ dst: [10, 244, 9, 9] })).not.toHaveProperty('peer');
  });
});

test('Cilium’s own device is told with its address of the pod’s family', () => {
  const { ask, tell, observer } = world();
  tell(mssql());
  observer.node({
    routingMode: 'tunnel',
    hostDevice: { name: 'cilium_host', ifindex: 7, ips: ['fd00::1', '10.244.3.1'] },
  });
  expect(ask({}).cilium).toEqual({
    endpoint_id: 1234,
    identity: 4711,
    host_device: { name: 'cilium_host', ifindex: 7, ip: '10.244.3.1' },
    routing_mode: 'tunnel',
  });
});

test('labels only when asked for', () => {
  const labels = { app: 'mssql' };
  for (const wanted of [false, true]) {
    const { ask, tell } = world({ labels: wanted });
    tell(mssql({ labels }));
    expect(ask({}).pod?.labels).toEqual(wanted ? labels : undefined);
  }
});

function world({ hasSources = true, labels = false, source = 'cilium' as SourceName } = {}) {
  const index = new PodIndex();
  const observer = index.observer(source);
  let nudges = 0;
  const attributor = new PodAttributor(index, {
    labels,
    hasSources: () => hasSources,
    onUnknown: () => {
      nudges++;
    },
  });
  return {
    index,
    observer,
    nudges: () => nudges,
    tell: (sighting: PodSighting) => observer.pod(sighting),
    ask: (fields: DropFields, timeMs = Date.now()): ReturnType<PodAttributor['attribute']> => {
      const drop = readDrop({ flags: IP4, netns: HOST, dst: FAR_IP, ...fields });
      const device = attributeDevice(drop, { ownNetns: HOST, links: new LinkMap() });
      const place = { device, isRefusedSource: drop.reason === 16 };
      return JSON.parse(JSON.stringify(attributor.attribute(drop, place, timeMs)));
    },
  };
}
