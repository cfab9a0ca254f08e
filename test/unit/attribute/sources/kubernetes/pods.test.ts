import { describe, expect, test } from 'vitest';
import { podSighting } from '../../../../../src/attribute/sources/kubernetes/pods.js';

const METADATA = { name: 'web-0', namespace: 'shop', uid: 'u-1' };

function sightingOf(pod: Record<string, unknown>) {
  return podSighting({ metadata: METADATA, ...pod });
}

test('a pod is told with all that the API knows of it', () => {
  const sighting = podSighting({
    metadata: {
      ...METADATA,
      labels: { app: 'web' },
      creationTimestamp: '2025-11-22T09:49:05Z',
      ownerReferences: [{ kind: 'StatefulSet', name: 'web', controller: true }],
    },
    spec: { nodeName: 'node-1' },
    status: {
      phase: 'Running',
      podIP: '10.244.3.7',
      podIPs: [{ ip: '10.244.3.7' }, { ip: 'FD00:10:244:3:0:0:0:7' }],
      containerStatuses: [{ name: 'web', containerID: 'containerd://c1' }],
    },
  });
  expect(sighting).toEqual({
    key: 'u-1',
    namespace: 'shop',
    name: 'web-0',
    uid: 'u-1',
    interfaces: [{ ips: ['10.244.3.7', 'fd00:10:244:3::7'] }],
    hostNetwork: false,
    containers: [{ id: 'c1', name: 'web' }],
    workload: { kind: 'StatefulSet', name: 'web' },
    labels: { app: 'web' },
    createdMs: Date.UTC(2025, 10, 22, 9, 49, 5),
  });
});

test('a pod was not made later than now, though the clock of the server may be ahead', () => {
  const creationTimestamp = new Date(Date.now() + 3600_000).toISOString();
  const sighting = sightingOf({ metadata: { ...METADATA, creationTimestamp } });
  expect(sighting?.createdMs).toBeLessThanOrEqual(Date.now());
  expect(sightingOf({ metadata: { ...METADATA, creationTimestamp: 'soon' } })?.createdMs).toBeUndefined();
});

describe('addresses', () => {
  const ips = [{ ip: '10.244.3.7' }];

  test('of a pod that has ended may be those of another by now', () => {
    for (const phase of ['Succeeded', 'Failed']) {
      expect(sightingOf({ status: { phase, podIPs: ips } })?.interfaces).toEqual([]);
    }
    expect(sightingOf({ status: { phase: 'Running', podIPs: ips } })?.interfaces).toHaveLength(1);
  });

  test("of a pod in the host's network tell nothing", () => {
    const sighting = sightingOf({ spec: { hostNetwork: true }, status: { podIPs: ips } });
    expect(sighting).toMatchObject({ hostNetwork: true, interfaces: [] });
  });

  test('are not there yet when a pod is new', () => {
    expect(sightingOf({})?.interfaces).toEqual([]);
    expect(sightingOf({ status: { phase: 'Pending', podIPs: [] } })?.interfaces).toEqual([]);
  });

  test('that are none are left out', () => {
    const lies = [
      { ip: '10.244.3' },
      { ip: 'fe80::1%eth0' },
      { ip: 7 },
      null,
      { ip: '' },
      { ip: '10.244.3.8' },
    ];
    expect(sightingOf({ status: { podIPs: lies } })?.interfaces).toEqual([{ ips: ['10.244.3.8'] }]);
  });

  test.each(['k8s.v1.cni.cncf.io/network-status', 'k8s.v1.cni.cncf.io/networks-status'])(
    'of several interfaces are in %s',
    (annotation) => {
      const status = [
        { name: 'cilium', interface: 'eth0', ips: ['10.244.3.7'], default: true, dns: {} },
        {
          name: 'shop/storage',
          interface: 'net1',
          ips: ['192.168.9.4', 'fd00::4'],
          mac: '02:00:00:00:00:01',
        },
        { name: 'shop/no-address', interface: 'net2' },
      ];
      const annotations = { [annotation]: JSON.stringify(status) };
      const sighting = sightingOf({ metadata: { ...METADATA, annotations }, status: { podIPs: ips } });
      expect(sighting?.interfaces).toEqual([
        { ips: ['10.244.3.7'], podDevice: 'eth0' },
        { ips: ['192.168.9.4', 'fd00::4'], podDevice: 'net1' },
      ]);
    },
  );

  test.each(['', '{', '7', 'null', '{"a":1}', '[null,7,{"ips":"x"},{"ips":[{}]}]'])(
    'stay those of the status when the annotation is %j',
    (text) => {
      const annotations = { 'k8s.v1.cni.cncf.io/network-status': text };
      const sighting = sightingOf({ metadata: { ...METADATA, annotations }, status: { podIPs: ips } });
      expect(sighting?.interfaces).toEqual([{ ips: ['10.244.3.7'] }]);
    },
  );
});

test('containers are those of all kinds; those that have ended bear no name', () => {
  const sighting = sightingOf({
    status: {
      initContainerStatuses: [
        {
          name: 'init',
          containerID: 'containerd://i1',
          state: { terminated: { containerID: 'containerd://i1' } },
        },
      ],
      containerStatuses: [
        { name: 'web', containerID: 'cri-o://c2', lastState: { terminated: { containerID: 'cri-o://c1' } } },
        { name: 'waiting', state: { waiting: {} } },
        'nonsense',
      ],
      ephemeralContainerStatuses: [{ name: 'debug', containerID: 'containerd://e1' }],
    },
  });
  expect(sighting?.containers).toEqual([
    { id: 'c2', name: 'web' },
    { id: 'c1' },
    { id: 'i1' },
    { id: 'e1', name: 'debug' },
  ]);
});

describe('the workload', () => {
  const owned = (kind: string, name: string, more: Record<string, unknown> = {}) =>
    sightingOf({
      metadata: { ...METADATA, ownerReferences: [{ kind, name, controller: true }], ...more },
    })?.workload;

  test.each(['StatefulSet', 'DaemonSet', 'Job', 'ReplicaSet', 'CloneSet'])(
    'is the %s that owns the pod',
    (kind) => {
      expect(owned(kind, 'web')).toEqual({ kind, name: 'web' });
    },
  );

  test('is the Deployment that made the ReplicaSet', () => {
    const labels = { 'pod-template-hash': '7d9c5b8f6' };
    expect(owned('ReplicaSet', 'web-api-7d9c5b8f6', { labels })).toEqual({
      kind: 'Deployment',
      name: 'web-api',
    });
    expect(owned('ReplicaSet', 'web-api', { labels })).toEqual({ kind: 'ReplicaSet', name: 'web-api' });
    expect(owned('ReplicaSet', '-7d9c5b8f6', { labels })?.kind).toBe('ReplicaSet');
    expect(owned('ReplicaSet', 'web-', { labels: { 'pod-template-hash': '' } })?.kind).toBe('ReplicaSet');
  });

  test('is the Rollout, the DeploymentConfig', () => {
    const labels = { 'rollouts-pod-template-hash': 'abc' };
    expect(owned('ReplicaSet', 'web-abc', { labels })).toEqual({ kind: 'Rollout', name: 'web' });
    const annotations = { 'openshift.io/deployment-config.name': 'web' };
    expect(owned('ReplicationController', 'web-3', { annotations })).toEqual({
      kind: 'DeploymentConfig',
      name: 'web',
    });
  });

  test('is the CronJob when the Job bears the minutes of its day', () => {
    const creationTimestamp = '2026-11-22T09:49:05Z';
    const minutes = Math.floor(Date.parse(creationTimestamp) / 60_000);
    expect(owned('Job', `report-${minutes}`, { creationTimestamp })).toEqual({
      kind: 'CronJob',
      name: 'report',
    });
    expect(owned('Job', 'report-12345678', { creationTimestamp })?.kind).toBe('Job');
    expect(owned('Job', `report-${minutes}`)?.kind).toBe('Job');
  });

  test('is nothing for a pod of its own or from a file', () => {
    expect(owned('Node', 'node-1')).toBeUndefined();
    expect(sightingOf({})?.workload).toBeUndefined();
    const ownerReferences = [{ kind: 'ReplicaSet', name: 'web' }, null, 'x'];
    expect(sightingOf({ metadata: { ...METADATA, ownerReferences } })?.workload).toBeUndefined();
  });
});

test.each([null, 7, 'pod', [], {}, { metadata: null }, { metadata: { ...METADATA, uid: 7 } }])(
  '%j is no pod',
  (pod) => {
    expect(podSighting(pod)).toBeUndefined();
  },
);
