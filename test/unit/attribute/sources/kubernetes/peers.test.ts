import { describe, expect, test } from 'vitest';
import {
  CILIUM_NODES,
  ENDPOINT_SLICES,
  type KubeApi,
  NODES,
  PODS,
  SERVICES,
} from '../../../../support/kube-api.js';
import { eventually, follow, NODE, pod, startApi } from '../../../../support/kubernetes.js';

const PEERS = { options: { peers: true } };

function putNode(api: KubeApi, name: string, ip: string, annotations: Record<string, string> = {}): void {
  const addresses = [
    { type: 'InternalIP', address: ip },
    { type: 'Hostname', address: name },
  ];
  api.put(NODES, {
    metadata: { name, annotations },
    spec: { podCIDRs: ['10.244.3.0/24'] },
    status: { addresses },
  });
}

function putSlice(api: KubeApi, name: string, endpoints: unknown[], service = 'web'): void {
  const labels = { 'kubernetes.io/service-name': service };
  api.put(ENDPOINT_SLICES, { metadata: { name, namespace: 'shop', labels }, addressType: 'IPv4', endpoints });
}

function endpoint(name: string, ip: string, nodeName = 'node-2') {
  return { addresses: [ip], nodeName, targetRef: { kind: 'Pod', namespace: 'shop', name } };
}

function putService(api: KubeApi, name: string, spec: Record<string, unknown>, status = {}): void {
  api.put(SERVICES, { metadata: { name, namespace: 'shop' }, spec, status });
}

/** Of each peer: "service web 10.96.0.1,fd00::1". */
function linesOf({
  peers,
}: {
  peers: Map<string, { kind: string; name?: string | undefined; ips: readonly string[] }>;
}) {
  return [...peers.values()].map(({ kind, name, ips }) => `${kind} ${name} ${ips.join()}`).sort();
}

describe('the other end', () => {
  test('is a service under its cluster addresses and those outside', async () => {
    const api = await startApi();
    putService(
      api,
      'web',
      { clusterIP: '10.96.0.1', clusterIPs: ['10.96.0.1', 'fd00::1'], externalIPs: ['203.0.113.7'] },
      { loadBalancer: { ingress: [{ ip: '198.51.100.9' }, { hostname: 'lb.example.com' }] } },
    );
    putService(api, 'headless', { clusterIP: 'None', clusterIPs: ['None'] });
    putService(api, 'elsewhere', { type: 'ExternalName', externalName: 'example.com' });
    const { seen } = follow(api, PEERS);
    await eventually(() =>
      expect(linesOf(seen)).toEqual(['service web 10.96.0.1,fd00::1,203.0.113.7,198.51.100.9']),
    );
    await eventually(() => expect(api.watchers(SERVICES)).toBe(1));
    api.remove(SERVICES, 'web', 'shop');
    await eventually(() => expect(linesOf(seen)).toEqual([]));
  });

  test('is another node, or its cilium_host', async () => {
    const api = await startApi();
    putNode(api, NODE, '192.0.2.1', { 'network.cilium.io/ipv4-cilium-host': '10.244.3.1' });
    putNode(api, 'node-2', '192.0.2.2', { 'network.cilium.io/ipv4-cilium-host': '10.244.4.1' });
    putNode(api, 'node-3', '192.0.2.3', { 'io.cilium.network.ipv4-cilium-host': '10.244.5.1' });
    const { seen } = follow(api, PEERS);
    await eventually(() =>
      expect(linesOf(seen)).toEqual([
        'cilium_host node-2 10.244.4.1',
        'cilium_host node-3 10.244.5.1',
        'node node-2 192.0.2.2',
        'node node-3 192.0.2.3',
      ]),
    );
    expect(seen.nodes.at(-1)).toEqual({
      name: NODE,
      ips: ['192.0.2.1'],
      hostDevice: { name: 'cilium_host', ips: ['10.244.3.1'] },
      podNetworks: ['10.244.3.0/24'],
    });
  });

  test('is known from CiliumNode where nodes bear no annotation', async () => {
    const api = await startApi();
    const spec = (ip: string) => ({
      addresses: [
        { type: 'InternalIP', ip: '192.0.2.9' },
        { type: 'CiliumInternalIP', ip },
      ],
      ipam: { podCIDRs: ['10.244.3.0/24', 'nonsense'] },
    });
    api.put(CILIUM_NODES, { metadata: { name: NODE }, spec: spec('10.244.3.1') });
    api.put(CILIUM_NODES, { metadata: { name: 'node-2' }, spec: spec('10.244.4.1') });
    const { seen } = follow(api, PEERS);
    await eventually(() =>
      expect(linesOf(seen)).toEqual(['cilium_host node-2 10.244.4.1', 'node node-2 192.0.2.9']),
    );
    expect(seen.nodes.at(-1)).toMatchObject({
      hostDevice: { name: 'cilium_host', ips: ['10.244.3.1'] },
      podNetworks: ['10.244.3.0/24'],
    });
  });

  test('is a pod of another node that is behind a service, or what is behind it and is no pod', async () => {
    const api = await startApi();
    putNode(api, 'node-2', '192.0.2.2');
    putSlice(api, 'web-1', [
      endpoint('web-0', '10.244.4.7'),
      endpoint('own', '10.244.3.7', NODE),
      endpoint('host-network', '192.0.2.2'),
      { addresses: ['198.51.100.7'] },
      'nonsense',
    ]);
    const { seen } = follow(api, PEERS);
    await eventually(() =>
      expect(linesOf(seen)).toEqual([
        'node node-2 192.0.2.2',
        'pod web-0 10.244.4.7',
        'service web 198.51.100.7',
      ]),
    );
  });

  test('stays known as long as one of two services has it', async () => {
    const api = await startApi();
    putSlice(api, 'web-1', [endpoint('web-0', '10.244.4.7')]);
    putSlice(api, 'admin-1', [endpoint('web-0', '10.244.4.7'), endpoint('web-1', '10.244.4.8')], 'admin');
    const { seen } = follow(api, PEERS);
    await eventually(() => expect(linesOf(seen)).toEqual(['pod web-0 10.244.4.7', 'pod web-1 10.244.4.8']));
    await eventually(() => expect(api.watchers(ENDPOINT_SLICES)).toBe(1));
    putSlice(api, 'admin-1', [endpoint('web-1', '10.244.4.9')], 'admin');
    await eventually(() => expect(linesOf(seen)).toEqual(['pod web-0 10.244.4.7', 'pod web-1 10.244.4.9']));
    api.remove(ENDPOINT_SLICES, 'web-1', 'shop');
    await eventually(() => expect(linesOf(seen)).toEqual(['pod web-1 10.244.4.9']));
  });

  test('a node and a service may share an address: it is the node', async () => {
    const api = await startApi();
    putNode(api, 'node-2', '192.0.2.2');
    const ingress = [{ ip: '192.0.2.2' }, { ip: '198.51.100.9' }];
    putService(api, 'web', { clusterIP: '10.96.0.1' }, { loadBalancer: { ingress } });
    const { seen } = follow(api, PEERS);
    await eventually(() =>
      expect(linesOf(seen)).toEqual(['node node-2 192.0.2.2', 'service web 10.96.0.1,198.51.100.9']),
    );
  });
});

describe('what is not allowed', () => {
  test('is told, and the pods go on', async () => {
    const api = await startApi();
    for (const path of [SERVICES, ENDPOINT_SLICES, CILIUM_NODES]) api.forbidden.add(path);
    api.put(PODS, pod('db-0', '10.244.3.7'));
    const { seen, until } = follow(api, PEERS);
    const { why } = await until(({ state, why }) => state === 'ok' && why?.split('; ').length === 3);
    expect(why?.split('; ').sort()).toEqual([
      'ciliumnodes: not allowed (403): grant list and watch of ciliumnodes (cilium.io)',
      'endpointslices: not allowed (403): grant list and watch of endpointslices (discovery.k8s.io)',
      'services: not allowed (403): grant list and watch of services',
    ]);
    expect(seen.podNames).toEqual(['db-0']);
    api.forbidden.clear();
    await until(({ why }) => why === undefined);
  });

  test('without the nodes, a service has its cluster addresses, and pods behind it are not taken', async () => {
    const api = await startApi();
    api.forbidden.add(NODES);
    putService(api, 'web', { clusterIP: '10.96.0.1', externalIPs: ['203.0.113.7'] });
    putSlice(api, 'web-1', [endpoint('web-0', '10.244.4.7')]);
    const { seen, until } = follow(api, PEERS);
    await eventually(() => expect(linesOf(seen)).toEqual(['service web 10.96.0.1']));
    expect((await until(({ state }) => state === 'ok')).why).toContain('nodes: not allowed (403)');
    expect(api.requests.map(({ path }) => path)).not.toContain(ENDPOINT_SLICES);
    api.forbidden.clear();
    await eventually(() => expect(linesOf(seen)).toContain('pod web-0 10.244.4.7'));
  });
});

test('a cluster without Cilium is nothing to complain of', async () => {
  const api = await startApi();
  api.collections.delete(CILIUM_NODES);
  const { until } = follow(api, PEERS);
  await eventually(() => expect(api.watchers(ENDPOINT_SLICES)).toBe(1));
  expect((await until(({ state }) => state === 'ok')).why).toBeUndefined();
});

test('with --no-peers nothing but pods is asked for', async () => {
  const api = await startApi();
  const { until } = follow(api, { options: { peers: false } });
  await until(({ state }) => state === 'ok');
  await eventually(() => expect(api.watchers()).toBe(1));
  expect(new Set(api.requests.map(({ path }) => path))).toEqual(new Set([PODS, `${NODES}/${NODE}`]));
});
