import { rmSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type CiliumOptions, CiliumSource } from '../../../../../src/attribute/sources/cilium/source.js';
import { endpointOf, FakeAgent } from '../../../../fixtures/cilium-agent.js';
import { temporaryDirectory } from '../../../../fixtures/directory.js';
import { RecordingObserver } from '../../../../fixtures/observer.js';
import { OFTEN, started, whileForbidden } from '../../../../fixtures/polled-source.js';

// Many sockets and files, on machines that do other things too.
vi.setConfig({ testTimeout: 60_000 });

describe('an endpoint', () => {
  it('of a new version is a pod with everything', async () => {
    await listen([endpointOf(7, 'web', '10.0.0.1', { addressing: [{ ipv4: '10.0.0.1', ipv6: 'fd00::1' }] })]);
    await observer.until(() => observer.named('web') !== undefined);
    expect(observer.named('web')).toEqual({
      key: '7container',
      namespace: 'default',
      name: 'web',
      interfaces: [
        { ips: ['10.0.0.1', 'fd00::1'], hostDevice: 'lxc7', hostIfindex: 1007, podDevice: 'eth0' },
      ],
      containers: [{ id: '7container' }],
      cilium: { endpointId: 7, identity: 4242 },
    });
  });

  it('of an old version is one too', async () => {
    await listen([
      {
        id: 29898,
        status: {
          'external-identifiers': { 'container-id': 'abc', 'pod-name': 'kube-system/coredns-1' },
          identity: { id: 104 },
          networking: {
            addressing: [{ ipv4: '10.15.242.54', ipv6: 'f00d::a0f:0:0:74ca' }],
            'interface-index': 15,
            'interface-name': 'lxc74ca',
          },
        },
      },
    ]);
    await observer.until(() => observer.named('coredns-1') !== undefined);
    expect(observer.named('coredns-1')).toMatchObject({
      namespace: 'kube-system',
      interfaces: [{ ips: ['10.15.242.54', 'f00d::a0f:0:0:74ca'], hostDevice: 'lxc74ca', hostIfindex: 15 }],
      cilium: { endpointId: 29898, identity: 104 },
    });
  });

  it('for each interface of a pod is one pod', async () => {
    const second = endpointOf(8, 'web', '10.1.0.1', { 'container-interface-name': 'eth1' });
    const identifiers = { 'container-id': '7container', 'k8s-namespace': 'default', 'k8s-pod-name': 'web' };
    Object.assign((second as { status: object }).status, { 'external-identifiers': identifiers });
    await listen([second, endpointOf(7, 'web', '10.0.0.1')]);
    await observer.until(() => observer.pods.size > 0);
    expect([...observer.pods.values()]).toMatchObject([
      { cilium: { endpointId: 7 }, interfaces: [{ podDevice: 'eth0' }, { podDevice: 'eth1' }] },
    ]);
  });

  it('that is no pod, or makes no sense, is passed over', async () => {
    await listen([
      { id: 1, status: { identity: { id: 1 }, networking: { 'interface-name': 'cilium_host' } } },
      { id: -1, status: { 'external-identifiers': { 'k8s-pod-name': 'x' } } },
      { id: 'x', status: [] },
      {},
      { id: 3, status: { 'external-identifiers': { 'k8s-pod-name': 5, 'pod-name': 'no slash' } } },
      endpointOf(9, 'liar', '999.0.0.1; reboot', { 'interface-index': 'x', 'interface-name': {} }),
    ]);
    await observer.until(() => observer.pods.size > 0);
    expect([...observer.pods.values()]).toMatchObject([{ name: 'liar', interfaces: [{ ips: [] }] }]);
  });

  it('that is gone is told', async () => {
    await listen([endpointOf(7, 'web', '10.0.0.1'), endpointOf(8, 'db', '10.0.0.2')]);
    await observer.until(() => observer.pods.size === 2);
    agent.answers.set('/v1/endpoint', [endpointOf(8, 'db', '10.0.0.2')]);
    await observer.until(() => observer.pods.size === 1);
    expect(observer.named('db')).toBeDefined();
  });
});

describe('of the cluster', () => {
  it('tells routing mode, cilium_host and the networks of pods, whatever the version calls them', async () => {
    agent.answers.set('/v1/config', configOf({ RoutingMode: 'native' }));
    await listen([]);
    await observer.until(() => observer.nodes.length > 0);
    expect(observer.nodes[0]).toEqual({
      routingMode: 'native',
      hostDevice: { name: 'cilium_host', ips: ['10.244.3.1', 'fd00:10:244:3::1'] },
      podNetworks: ['10.244.3.0/24', 'fd00:10:244:3::/64'],
    });
  });

  it.each([
    ['vxlan', 'tunnel'],
    ['disabled', 'native'],
    [undefined, undefined],
  ])('tells Tunnel %s of versions before 1.14 as %s', async (Tunnel, routingMode) => {
    agent.answers.set('/v1/config', configOf({ Tunnel }));
    await listen([]);
    await observer.until(() => observer.nodes.length > 0);
    expect(observer.nodes[0]?.routingMode).toBe(routingMode);
  });

  it('tells nodes, their cilium_host devices, and pods elsewhere', async () => {
    agent.answers.set('/v1/cluster/nodes', {
      self: 'east/n1',
      'nodes-added': [
        {
          name: 'east/n2',
          'primary-address': {
            ipv4: { enabled: true, ip: '192.0.2.12', 'alloc-range': '10.244.4.0/24' },
            ipv6: { ip: '', 'alloc-range': '' },
          },
          'secondary-addresses': [{ ip: '10.244.4.77' }, { ip: '198.51.100.2' }],
        },
        {
          name: 'n3',
          'primary-address': { ipv4: { ip: '192.0.2.13', 'alloc-range': 'nonsense' } },
          'secondary-addresses': [{ ip: '10.9.9.9', 'address-type': 'CiliumInternalIP' }],
        },
        { 'primary-address': 7 },
      ],
    });
    agent.answers.set('/v1/ip', [
      {
        cidr: '10.244.4.5/32',
        identity: 7,
        metadata: { source: 'custom-resource', namespace: 'a', name: 'b' },
      },
      { cidr: '0.0.0.0/0', identity: 2 },
    ]);
    await listen([]);
    await observer.until(() => observer.peers.size >= 5);
    expect(observer.nodes[0]?.name).toBe('n1');
    expect([...observer.peers.values()].map(({ key, ...peer }) => peer)).toEqual([
      { kind: 'node', ips: ['192.0.2.12', '198.51.100.2'], name: 'n2' },
      { kind: 'cilium_host', ips: ['10.244.4.77'], name: 'n2' },
      { kind: 'node', ips: ['192.0.2.13'], name: 'n3' },
      { kind: 'cilium_host', ips: ['10.9.9.9'], name: 'n3' },
      { kind: 'pod', ips: ['10.244.4.5'], namespace: 'a', name: 'b' },
    ]);
  });

  it('says what it was not told, and names pods all the same', async () => {
    agent.answers.set('/v1/config', (response: ServerResponse) => response.writeHead(500).end());
    const source = await listen([endpointOf(7, 'web', '10.0.0.1')]);
    await observer.until(() => source.state.state === 'ok');
    expect(source.state.why).toBe('GET /v1/config was answered with 500');
    expect(observer.named('web')).toBeDefined();
  });
});

describe('an agent', () => {
  it.each([
    ['answers with an error', (response: ServerResponse) => response.writeHead(503).end(), /503/],
    ['answers with something else', (response: ServerResponse) => response.end('<html>'), /no list/],
    ['answers with broken JSON', (response: ServerResponse) => response.end('[{"id":1,}]'), /no JSON/],
    ['ends in the middle', (response: ServerResponse) => response.end('[{"id":1},{'), /in the middle/],
    [
      'breaks off in the middle',
      (response: ServerResponse) => {
        response.write('[{"id":1},');
        setTimeout(() => response.destroy(), 10);
      },
      /aborted|hang up/,
    ],
    ['never answers', () => undefined, /within 1 s/],
    ['answers for ever', trickle, /within 1 s/],
    ['answers too much', (response: ServerResponse) => response.end(`[${' '.repeat(3 << 20)}]`), /1 MiB/],
  ])('that %s is failed, its words are not used', async (_what, answer, why) => {
    const source = await listen(answer, { limits: { timeoutMs: 1000, maxBytes: 1 << 20 } });
    await observer.until(() => source.state.state === 'failed');
    expect(source.state.why).toMatch(why);
    expect(observer.pods.size).toBe(0);

    agent.answers.set('/v1/endpoint', [endpointOf(7, 'web', '10.0.0.1')]);
    await observer.until(() => observer.named('web') !== undefined);
    expect(source.state.state).toBe('ok');
  });

  it('that is not there is absent; one that goes away leaves what it said, stale', async () => {
    const source = start();
    await observer.until(() => source.state.state === 'absent');
    agent.answers.set('/v1/endpoint', [endpointOf(7, 'web', '10.0.0.1')]);
    await agent.listen();
    await observer.until(() => source.state.state === 'ok');

    await agent.close();
    rmSync(socket, { force: true });
    await observer.until(() => source.state.state === 'stale');
    expect(observer.named('web')).toBeDefined();
    await agent.listen();
    await observer.until(() => source.state.state === 'ok');
  });

  it('that may not be asked is failed, with what it takes', async () => {
    agent.answers.set('/v1/endpoint', []);
    await agent.listen();
    await whileForbidden(socket, async () => {
      const source = start();
      await observer.until(() => source.state.state === 'failed');
      expect(source.state.why).toMatch(/permission denied.*root/);
    });
  });

  it('of 10,000 endpoints is told whole, what goes beyond is left out and said', async () => {
    const source = await listen(
      Array.from({ length: 10_002 }, (_, at) =>
        endpointOf(at + 1, `pod-${at}`, `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`),
      ),
    );
    await observer.until(() => observer.pods.size === 10_000);
    expect(source.state.why).toBe('2 endpoints are left out');
  });
});

let socket: string;
let agent: FakeAgent;
let observer: RecordingObserver;

beforeEach(() => {
  socket = join(temporaryDirectory(), 's');
  agent = new FakeAgent(socket);
  observer = new RecordingObserver();
});

afterEach(async () => {
  await agent.close();
});

async function listen(endpoints: unknown, options: CiliumOptions = {}): Promise<CiliumSource> {
  agent.answers.set('/v1/endpoint', endpoints);
  await agent.listen();
  return start(options);
}

function start(options: CiliumOptions = {}): CiliumSource {
  return started(new CiliumSource({ socket, pace: OFTEN, ...options }), observer);
}

function configOf(daemonConfigurationMap: object): object {
  return {
    spec: {},
    status: {
      addressing: {
        ipv4: { enabled: true, ip: '10.244.3.1', 'alloc-range': '10.244.3.0/24' },
        ipv6: { enabled: true, ip: 'fd00:10:244:3::1', 'alloc-range': 'fd00:10:244:3::/64' },
      },
      daemonConfigurationMap,
      datapathMode: 'veth',
    },
  };
}

/** A byte at a time, until the other side has had enough. */
function trickle(response: ServerResponse): void {
  response.write('[');
  const timer = setInterval(() => response.write(' '), 10);
  response.on('close', () => clearInterval(timer));
}
