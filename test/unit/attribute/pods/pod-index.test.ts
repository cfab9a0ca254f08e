import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Pod } from '../../../../src/attribute/pods/pod.js';
import { PodIndex } from '../../../../src/attribute/pods/pod-index.js';
import type { PodSighting, SourceName, SourceState } from '../../../../src/attribute/source.js';
import { mssql } from '../../../fixtures/source.js';

const IP = '10.244.3.136';

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('PodIndex puts together what sources say of one pod', () => {
  test('by uid, by container and by name, in the order of the sources', () => {
    const index = new PodIndex();
    tell(index, 'kernel', { key: 'k', uid: 'u', netns: 77, containers: [{ id: 'c1' }], interfaces: [] });
    tell(index, 'kubernetes', {
      ...NAMED,
      key: 'u',
      uid: 'u',
      workload: WORKLOAD,
      labels: { a: 'b' },
      interfaces: [{ ips: [IP] }],
    });
    tell(index, 'cri', {
      ...NAMED,
      key: 's',
      uid: 'u',
      containers: [{ id: 'sandbox' }, { id: 'c1', name: 'mssql' }],
      interfaces: [],
    });
    tell(index, 'cilium', mssql());
    expect(index.pods.size).toBe(1);
    const [pod] = index.pods;
    expect(pod).toMatchObject({ source: 'cilium' });
    expect(pod?.facts).toMatchObject({
      ...NAMED,
      uid: 'u',
      netns: 77,
      workload: WORKLOAD,
      labels: { a: 'b' },
    });
    expect(pod?.facts.containers).toEqual([{ id: 'sandbox' }, { id: 'c1', name: 'mssql' }]);
    expect(pod?.facts.interfaces).toEqual([{ ips: [IP], hostDevice: 'lxcabcd', hostIfindex: 12 }]);
    expect(find(index)).toBe(pod);
    expect(index.keys.byNetns(77, now())).toBe(pod);
    expect(index.keys.byDevice('lxcabcd', 12, now())).toBe(pod);
  });

  test('also where the link between two is told last', () => {
    const index = new PodIndex();
    tell(index, 'cilium', mssql({ containers: [{ id: 'sandbox' }] }));
    tell(index, 'kernel', { key: 'k', uid: 'u', netns: 77, interfaces: [] });
    expect(index.pods.size).toBe(2);
    tell(index, 'cri', { ...NAMED, key: 's', uid: 'u', containers: [{ id: 'sandbox' }], interfaces: [] });
    expect(index.pods.size).toBe(1);
    expect(index.keys.byNetns(77, now())).toBe(find(index));
  });

  test('whatever the order in which they tell it', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(FOUR, { minLength: 4 }), (order) => {
        const index = new PodIndex();
        for (const [source, sighting] of order) tell(index, source, sighting);
        expect(index.pods.size).toBe(1);
        expect([...index.pods][0]?.facts).toMatchObject({
          ...NAMED,
          uid: 'u',
          netns: 77,
          workload: WORKLOAD,
        });
      }),
    );
  });

  test('the next pod of a StatefulSet is another pod', () => {
    const index = new PodIndex();
    tell(index, 'kubernetes', { ...NAMED, key: 'u', uid: 'u', interfaces: [{ ips: [IP] }] });
    tell(index, 'kubernetes', { ...NAMED, key: 'v', uid: 'v', interfaces: [{ ips: ['10.244.3.9'] }] });
    tell(index, 'cilium', mssql({ key: '2', interfaces: [{ ips: ['10.244.3.9'] }] }));
    expect(index.pods.size).toBe(2);
    expect((index.keys.byAddress('10.244.3.9', now()) as Pod).facts).toMatchObject({
      uid: 'v',
      cilium: { endpointId: 1234 },
    });
    expect((find(index) as Pod).facts.cilium).toBeUndefined();
  });

  test('a key that becomes another pod’s takes nothing along', () => {
    const index = new PodIndex();
    tell(index, 'cilium', mssql());
    tell(index, 'cilium', mssql({ name: 'other', interfaces: [{ ips: ['10.244.3.9'] }] }));
    expect([...index.pods].map(({ facts }) => facts.name)).toEqual(['other']);
    expect((find(index) as Pod).facts.name).toBe('mssql-0');
  });
});

describe('PodIndex', () => {
  test('a pod that is gone stays known for a minute, then nothing of it is left', () => {
    const index = new PodIndex();
    const observer = index.observer('cilium');
    observer.pod(mssql());
    observer.podGone('1234');
    vi.advanceTimersByTime(55_000);
    expect(find(index)).toBeInstanceOf(Pod);
    const { epoch } = index;
    vi.advanceTimersByTime(11_000);
    expect(find(index)).toBeUndefined();
    expect(index.epoch).toBeGreaterThan(epoch);
    expect(index.isEmpty).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('it is there as long as one source tells of it', () => {
    const index = new PodIndex();
    tell(index, 'kubernetes', { ...NAMED, key: 'u', uid: 'u', interfaces: [{ ips: [IP] }] });
    index.observer('cilium').pod(mssql());
    index.observer('cilium').podGone('1234');
    expect([...index.pods].map(({ source }) => source)).toEqual(['kubernetes']);
  });

  test('keeps its name and its address until the last source has learned of its end', () => {
    const index = new PodIndex();
    index.observer('cri').pod({ ...NAMED, key: 's', uid: 'u', interfaces: [{ ips: [IP] }] });
    index.observer('kernel').pod({ key: 'k', uid: 'u', netns: 77, interfaces: [] });
    index.observer('cri').podGone('s');
    expect([...index.pods].map(({ facts }) => facts)).toMatchObject([{ ...NAMED, uid: 'u', netns: 77 }]);
    expect((find(index) as Pod).facts).toMatchObject(NAMED);
    index.observer('kernel').podGone('k');
    expect([...index.gone].map(({ facts }) => facts)).toMatchObject([NAMED]);
    expect(find(index)).toBe([...index.gone][0]);
  });

  test('that has ended leaves its address to the next, however long the API lists it', () => {
    const index = new PodIndex();
    const job = { namespace: 'batch', name: 'job-1', key: 'u', uid: 'u', interfaces: [] };
    tell(index, 'kubernetes', job);
    index.observer('cri').pod({ key: 's', uid: 'u', netns: 77, interfaces: [{ ips: [IP] }] });
    index.observer('cri').podGone('s');
    vi.advanceTimersByTime(3_600_000);
    tell(index, 'cri', { ...NAMED, key: 't', uid: 'v', netns: 77, interfaces: [{ ips: [IP] }] });
    vi.advanceTimersByTime(60_000);
    tell(index, 'kubernetes', { ...job, labels: { done: 'true' } });
    expect((find(index) as Pod).facts).toMatchObject(NAMED);
    expect(index.keys.byNetns(77, now())?.facts).toMatchObject(NAMED);
  });

  test('what a source says again counts, not what it said before', () => {
    const index = new PodIndex();
    index.observer('kernel').pod({ key: 'k', uid: 'u', netns: 77, interfaces: [] });
    index.observer('cri').pod({ ...NAMED, key: 's', uid: 'u', interfaces: [{ ips: [IP] }] });
    index.observer('cri').podGone('s');
    index.observer('cri').pod({ ...NAMED, key: 't', uid: 'u', interfaces: [{ ips: ['10.244.3.9'] }] });
    expect([...index.pods].map(({ facts }) => facts.interfaces)).toEqual([[{ ips: ['10.244.3.9'] }]]);
  });

  test('one that a source forgot for a moment is the same one', () => {
    const index = new PodIndex();
    const observer = index.observer('cilium');
    observer.pod(mssql({ containers: [{ id: 'sandbox' }] }));
    const before = find(index);
    observer.synced(new Set(), new Set());
    expect(index.pods.size).toBe(0);
    observer.pod(mssql({ containers: [{ id: 'sandbox' }] }));
    expect(find(index)).toBe(before);
    expect(before).toMatchObject({ goneMs: undefined });
  });

  test('with the node’s own network its addresses tell nothing', () => {
    const index = new PodIndex();
    tell(index, 'kubernetes', mssql({ hostNetwork: true, netns: 5 }));
    expect(find(index)).toBeUndefined();
    expect(index.keys.byNetns(5, now())).toBeUndefined();
  });

  test('addresses of both families and of several interfaces, however they are written', () => {
    const index = new PodIndex();
    tell(index, 'cri', {
      key: 's',
      ...NAMED,
      interfaces: [{ ips: ['10.0.0.1/32', 'FD00:0::1'] }, { ips: ['10.1.0.1', 'nonsense', ''] }],
    });
    for (const ip of ['10.0.0.1', 'fd00::1', '10.1.0.1'])
      expect(index.keys.byAddress(ip, now())).toBeInstanceOf(Pod);
    expect(index.keys.byAddress('nonsense', now())).toBeUndefined();
  });

  test('devices of Calico and AWS are found by the hash in their name', () => {
    const index = new PodIndex();
    tell(index, 'kubernetes', { key: 'u', ...NAMED, interfaces: [] });
    // printf qfusion-admin.mssql-0 | sha1sum
    expect(index.keys.byDevice('cali9dba0860938', 9, now())).toBeInstanceOf(Pod);
    expect(index.keys.byDevice('eni9dba0860938', 9, now())).toBeInstanceOf(Pod);
    expect(index.keys.byDevice('cali00000000000', 9, now())).toBeUndefined();
  });

  test('a device’s number that was given again does not name the pod that had it', () => {
    const index = new PodIndex();
    tell(index, 'cilium', mssql());
    expect(index.keys.byDevice('lxcother', 12, now())).toBeUndefined();
    expect(index.keys.byDevice('lxcabcd', 99, now())).toBeUndefined();
  });

  test('is bounded, whatever it is told', () => {
    const index = new PodIndex({ maxPods: 10, maxPeers: 10 });
    const observer = index.observer('cri');
    for (let i = 0; i < 100; i++) {
      observer.pod({ key: `${i}`, uid: `${i}`, interfaces: [{ ips: [`10.0.0.${i}`] }] });
      observer.peer({ key: `${i}`, kind: 'service', ips: [`10.9.0.${i}`] });
    }
    expect(index.pods.size).toBe(10);
    expect(index.peers.find('10.9.0.9')).toBeDefined();
    expect(index.peers.find('10.9.0.10')).toBeUndefined();
    for (let i = 0; i < 5000; i++) {
      observer.podGone(`${i < 100 ? i : `x${i - 1}`}`);
      observer.pod({ key: `x${i}`, uid: `x${i}`, interfaces: [{ ips: ['10.0.1.1'] }] });
    }
    expect(index.pods.size).toBeLessThanOrEqual(10);
  });

  test('says what found no room, and takes it in when there is some', () => {
    const index = new PodIndex({ maxPods: 2, maxPeers: 2 });
    const observer = index.observer('kubernetes');
    const state: SourceState = { name: 'kubernetes', state: 'ok', why: 'nodes may not be listed' };
    for (const key of ['a', 'b', 'c', 'd']) {
      observer.pod({ key, uid: key, interfaces: [{ ips: [`10.0.0.${key.charCodeAt(0)}`] }] });
      observer.peer({ key, kind: 'service', ips: [`10.9.0.${key.charCodeAt(0)}`] });
    }
    expect(index.judge(state).why).toBe(
      'nodes may not be listed; 2 pods beyond 2 are not known; peers beyond 2 are not known',
    );
    expect(index.judge({ name: 'cri', state: 'ok' }).why).toBeUndefined();
    // What nobody tells of may be a service all the same.
    expect(index.peers.areServicesKnown).toBe(false);

    observer.podGone('d');
    observer.podGone('a');
    expect([...index.pods].map(({ facts }) => facts.uid)).toEqual(['b', 'c']);
    expect(index.judge(state).why).toBe('nodes may not be listed; peers beyond 2 are not known');
  });

  test('churn of any kind leaves nothing behind', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const index = new PodIndex();
        for (const one of steps) {
          play(index, one);
          vi.advanceTimersByTime(700);
        }
        for (const source of SOURCES) index.observer(source).synced(new Set(), new Set());
        expect(index.pods.size).toBe(0);
        vi.advanceTimersByTime(70_000);
        expect(index.isEmpty).toBe(true);
        for (const ip of IPS) expect(index.keys.byAddress(ip, now())).toBeUndefined();
        expect(vi.getTimerCount()).toBe(0);
      }),
      { numRuns: 300 },
    );
  });
});

describe('peers', () => {
  test('a service comes before the pods that share its address, and goes', () => {
    const { peers } = new PodIndex();
    peers.learn('kubernetes', { key: 'p', kind: 'pod', ips: ['10.0.0.1'], name: 'p' });
    peers.learn('kubernetes', { key: 'n', kind: 'node', ips: ['10.0.0.1'], name: 'n' });
    expect(peers.find('10.0.0.1')).toMatchObject({ kind: 'node' });
    peers.forget('kubernetes', 'n');
    expect(peers.find('10.0.0.1')).toMatchObject({ kind: 'pod' });
    peers.keepOnly('kubernetes', new Set());
    expect(peers.find('10.0.0.1')).toBeUndefined();
  });

  test('a peer that changes its address is no more at the old one', () => {
    const { peers } = new PodIndex();
    peers.learn('kubernetes', { key: 's', kind: 'service', ips: ['10.0.0.1'] });
    peers.learn('kubernetes', { key: 's', kind: 'service', ips: ['10.0.0.2'] });
    expect(peers.find('10.0.0.1')).toBeUndefined();
    expect(peers.find('10.0.0.2')).toBeDefined();
  });
});

const NAMED = { namespace: 'qfusion-admin', name: 'mssql-0' };
const WORKLOAD = { kind: 'StatefulSet', name: 'mssql' };
const SOURCES: readonly SourceName[] = ['cilium', 'cri', 'kernel'];
const IPS = ['10.0.0.1', '10.0.0.2', 'fd00::1'];
const FOUR: [SourceName, PodSighting][] = [
  ['kernel', { key: 'k', uid: 'u', netns: 77, interfaces: [] }],
  ['kubernetes', { ...NAMED, key: 'u', uid: 'u', workload: WORKLOAD, interfaces: [{ ips: [IP] }] }],
  ['cri', { ...NAMED, key: 's', uid: 'u', containers: [{ id: 'sandbox' }], interfaces: [] }],
  ['cilium', mssql({ containers: [{ id: 'sandbox' }] })],
];

const step = fc.record({
  source: fc.constantFrom(...SOURCES),
  key: fc.constantFrom('a', 'b', 'c'),
  action: fc.constantFrom('pod', 'pod', 'pod', 'gone', 'sync'),
  ips: fc.subarray(IPS),
  name: fc.constantFrom('x', 'y', undefined),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function play(index: PodIndex, { source, key, action, ips, name }: Step): void {
  const observer = index.observer(source);
  if (action === 'gone') observer.podGone(key);
  else if (action === 'sync') observer.synced(new Set([key]), new Set());
  else observer.pod({ key, namespace: 'n', name, interfaces: [{ ips }] });
}

function tell(index: PodIndex, source: SourceName, sighting: PodSighting): void {
  index.observer(source).pod(sighting);
}

function find(index: PodIndex): unknown {
  return index.keys.byAddress(IP, now());
}

function now(): number {
  return Date.now();
}
