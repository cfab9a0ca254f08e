import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { switchedOff } from '../../../src/attribute/pods/lazy-source.js';
import { PodIndex } from '../../../src/attribute/pods/pod-index.js';
import type { PodSighting } from '../../../src/attribute/source.js';
import { PodFollower } from '../../../src/filters/pod-follower.js';
import {
  checkPodSources,
  type PodFilter,
  type PodFilterSpec,
  resolvePodFilter,
} from '../../../src/filters/pods.js';
import type { NativePodKeys } from '../../../src/native.js';
import { FakeSource, mssql } from '../../fixtures/source.js';

const NONE: NativePodKeys = { addresses: [], devices: [], netns: [], cgroups: [] };
const MSSQL: NativePodKeys = { addresses: ['10.244.3.136'], devices: ['lxcabcd'], netns: [77], cgroups: [] };

describe('what is asked for', () => {
  test.each<[PodFilterSpec, RegExp]>([
    [{ pods: ['a/b/c'] }, /a\/b\/c is not a pod/],
    [{ pods: [''] }, /no name of a pod/],
    [{ pods: ['Default/mssql-0'] }, /no name of a namespace/],
    [{ pods: ['default/'] }, /no name of a pod/],
    [{ namespaces: ['a b'] }, /no name of a namespace/],
    [{ namespaces: ['shop'], pods: ['default/mssql-0'] }, /default\/mssql-0 is in none of the namespaces/],
    [{ thisPod: true, namespaces: ['shop'] }, /--this-pod goes with no/],
    [{ selector: 'app=' + '=' + '=' }, /./],
  ])('%j is refused', (spec, message) => {
    expect(() => resolvePodFilter(spec, () => 5)).toThrow(
      expect.objectContaining({ code: 'E_USAGE', message: expect.stringMatching(message) }),
    );
  });

  test('nothing of it is no filter', () => {
    expect(resolvePodFilter({ namespaces: [], pods: [] }, () => 5)).toBeUndefined();
  });

  test('stands in the start event', () => {
    expect(filter({ namespaces: ['a'], pods: ['a/b', 'c'], selector: 'x=y' }).described).toEqual({
      namespaces: ['a'],
      pods: ['a/b', 'c'],
      selector: 'x=y',
    });
  });

  test('this pod is its own network namespace and addresses, whoever knows it', () => {
    const { fixed, described } = filter({ thisPod: true });
    expect(fixed?.netns).toEqual([5]);
    expect(fixed?.addresses).not.toContain('127.0.0.1');
    expect(described).toEqual({ this_pod: true });
    expect(() => checkPodSources(filter({ thisPod: true }), [switchedOff('cri')])).not.toThrow();
  });

  test('cannot be known where all sources are switched off', () => {
    const sources = [switchedOff('cri'), switchedOff('cilium')];
    expect(() => checkPodSources(filter({ pods: ['x'] }), sources)).toThrow(/switched off/);
    expect(() =>
      checkPodSources(filter({ pods: ['x'] }), [...sources, new FakeSource('kernel')]),
    ).not.toThrow();
    expect(() => checkPodSources(undefined, sources)).not.toThrow();
  });
});

describe('the kernel’s filter follows pods', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test.each<[PodFilterSpec, PodSighting, boolean]>([
    [{ pods: ['qfusion-admin/mssql-0'] }, mssql(), true],
    [{ pods: ['mssql-0'] }, mssql(), true],
    [{ pods: ['mssql-1', 'mssql-0'] }, mssql(), true],
    [{ pods: ['other/mssql-0'] }, mssql(), false],
    [{ namespaces: ['qfusion-admin'] }, mssql(), true],
    [{ namespaces: ['other'] }, mssql(), false],
    [{ selector: 'app=mssql,tier!=test' }, mssql({ labels: { app: 'mssql' } }), true],
    [{ selector: 'app=mssql' }, mssql({ labels: { app: 'x' } }), false],
    [{ selector: '!app' }, mssql(), false], // its labels are not known
    [{ namespaces: ['qfusion-admin'], selector: 'app=mssql' }, mssql(), false],
    [{ pods: ['mssql-0'] }, mssql({ hostNetwork: true }), false],
  ])('%j', (spec, sighting, isWanted) => {
    const { applied, index } = follow(spec);
    expect(applied()).toEqual(NONE);
    index.observer('cilium').pod({ ...sighting, netns: 77 });
    vi.advanceTimersByTime(50);
    expect(applied()).toEqual(isWanted ? MSSQL : NONE);
  });

  test('when they come and go; those that went are waited for a while', () => {
    const { applied, index } = follow({ pods: ['mssql-0'] });
    const observer = index.observer('cilium');
    observer.pod(mssql({ netns: 77 }));
    vi.advanceTimersByTime(50);
    observer.podGone('1234');
    vi.advanceTimersByTime(1000);
    expect(applied()).toEqual(MSSQL);
    vi.advanceTimersByTime(70_000);
    expect(applied()).toEqual(NONE);
  });

  test('an address that is another pod’s now is not that of the one that is gone', () => {
    const { applied, index } = follow({ pods: ['mssql-0'] });
    const observer = index.observer('cilium');
    observer.pod(mssql({ netns: 77 }));
    observer.podGone('1234');
    observer.pod({ key: '9', namespace: 'x', name: 'y', interfaces: [{ ips: ['10.244.3.136'] }] });
    vi.advanceTimersByTime(50);
    expect(applied()).toEqual({ ...MSSQL, addresses: [] });
  });

  test('nor that of one that has ended and is listed still', () => {
    const { applied, index } = follow({ pods: ['mssql-0'] });
    index.observer('cilium').pod(mssql({ netns: 77 }));
    index.observer('kubernetes').pod({ ...mssql({ interfaces: [] }), key: 'u' });
    index.observer('cilium').podGone('1234');
    vi.advanceTimersByTime(50);
    expect(applied()).toEqual(MSSQL);
    index
      .observer('cilium')
      .pod({ key: '9', namespace: 'x', name: 'y', interfaces: [{ ips: ['10.244.3.136'] }] });
    vi.advanceTimersByTime(50);
    expect(applied()).toEqual({ ...MSSQL, addresses: [] });
  });

  test('in a churn of pods the kernel is told once for many', () => {
    const { all, index } = follow({ namespaces: ['n'] });
    for (let i = 0; i < 100; i++)
      index
        .observer('cri')
        .pod({ key: `${i}`, namespace: 'n', name: `p${i}`, interfaces: [{ ips: [`10.0.0.${i}`] }] });
    vi.advanceTimersByTime(50);
    expect(all()).toHaveLength(2);
    index
      .observer('cri')
      .pod({ key: 'x', namespace: 'other', name: 'x', interfaces: [{ ips: ['10.1.1.1'] }] });
    vi.advanceTimersByTime(50);
    expect(all()).toHaveLength(2);
  });

  test('never more than the kernel takes, and no names that it does not take', () => {
    const { applied, index } = follow({ namespaces: ['n'] });
    const ips = Array.from({ length: 10_000 }, (_, i) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
    index.observer('cri').pod({
      key: 'a',
      namespace: 'n',
      name: 'a',
      interfaces: [{ ips, hostDevice: 'a-name-that-is-too-long' }],
    });
    vi.advanceTimersByTime(50);
    expect(applied().addresses.length).toBe(4096);
    expect(applied().devices).toEqual([]);
  });

  test('a pod that nobody knows is waited for, and people are told so', () => {
    const { told, index } = follow({ pods: ['qfusion-admin/mssql-0'] });
    vi.advanceTimersByTime(2000);
    expect(told).toEqual(['waiting for pod qfusion-admin/mssql-0: no source knows it yet']);
    index.observer('cilium').pod(mssql());
    vi.advanceTimersByTime(50);
    expect(told.at(-1)).toBe('tracing pod qfusion-admin/mssql-0');
  });

  test('a name in two namespaces is said to be two pods', () => {
    const { told, index } = follow({ pods: ['mssql-0'] });
    index.observer('cilium').pod(mssql());
    index
      .observer('cilium')
      .pod(mssql({ key: '2', namespace: 'other', interfaces: [{ ips: ['10.1.1.1'] }] }));
    vi.advanceTimersByTime(50);
    expect(told).toEqual([
      'mssql-0 is the name of 2 pods, and all are traced: qfusion-admin/mssql-0, other/mssql-0',
    ]);
  });

  test('it leaves no timer behind', () => {
    const { follower, index } = follow({ pods: ['mssql-0'] });
    index.observer('cilium').pod(mssql());
    follower.stop();
    expect(vi.getTimerCount()).toBe(0);
  });
});

function follow(spec: PodFilterSpec) {
  const index = new PodIndex();
  const all: NativePodKeys[] = [];
  const told: string[] = [];
  const follower = new PodFollower({
    filter: filter(spec),
    index,
    apply: (keys) => all.push(keys),
    tell: (text) => told.push(text),
  });
  follower.start();
  return { follower, index, told, all: () => all, applied: () => all.at(-1) as NativePodKeys };
}

function filter(spec: PodFilterSpec): PodFilter {
  const found = resolvePodFilter(spec, () => 5);
  if (!found) throw new Error('that is no filter');
  return found;
}
