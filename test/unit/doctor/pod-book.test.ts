import { describe, expect, it } from 'vitest';
import type { Observer, PodSighting, Source, SourceState } from '../../../src/attribute/source.js';
import { askSources } from '../../../src/doctor/pod-book.js';
import { findPodDevices } from '../../../src/doctor/pod-devices.js';
import type { NativeSurvey } from '../../../src/native.js';
import { incident, POD } from './machine.js';

const MSSQL: PodSighting = {
  key: 'a',
  uid: 'u-1',
  namespace: 'qfusion-admin',
  name: 'mssql-0',
  interfaces: [{ ips: ['10.244.3.136', 'fd00::1'], hostDevice: 'lxcabcd' }],
};

describe('names of pods for devices', () => {
  it.each<[string, Partial<PodSighting>]>([
    ['the device outside', {}],
    ['the network namespace', { interfaces: [], netns: POD }],
    ['the address', { interfaces: [{ ips: ['10.244.3.136'] }] }],
  ])('are found by %s', async (_what, known) => {
    const book = await askSources([new Told('cri', [{ ...MSSQL, ...known }])]);
    expect(book.nameOf(lxc(), '10.244.3.136')).toEqual({ namespace: 'qfusion-admin', name: 'mssql-0' });
  });

  it('are put together from sources of which none knows all', async () => {
    const book = await askSources([
      new Told('kernel', [{ key: 'k', uid: 'u-1', interfaces: [], netns: POD }]),
      new Told('kubernetes', [{ ...MSSQL, interfaces: [] }]),
    ]);
    expect(book.nameOf(lxc(), undefined)).toMatchObject({ name: 'mssql-0' });
  });

  it('come with IPv4 addresses, and with the state of each source', async () => {
    const book = await askSources([new Told('cri', [MSSQL]), new Dead()]);
    expect(book.addressesOf(lxc().device)).toEqual(['10.244.3.136']);
    expect(book.states.map(({ name, state }) => [name, state])).toEqual([
      ['cri', 'ok'],
      ['cilium', 'failed'],
    ]);
  });

  it('are not waited for longer than it is worth, and every source is stopped', async () => {
    const silent = new Told('cri', undefined);
    const before = performance.now();
    const book = await askSources([silent], 50);
    expect(performance.now() - before).toBeLessThan(1000);
    expect(book.nameOf(lxc(), '10.244.3.136')).toBe(undefined);
    expect(silent.isStopped).toBe(true);
  });
});

function lxc() {
  const surveys: NativeSurvey[] = incident();
  const [device] = findPodDevices({
    surveys,
    neighboursOf: () => ({ addresses: [], cut: false }),
  });
  if (!device) throw new Error('no pod device');
  return device;
}

/** Tells what it is given some time after it was started; undefined: never. */
class Told implements Source {
  isStopped = false;
  state: SourceState;
  readonly name: Source['name'];
  readonly #pods: readonly PodSighting[] | undefined;

  constructor(name: Source['name'], pods: readonly PodSighting[] | undefined) {
    this.name = name;
    this.#pods = pods;
    this.state = { name, state: 'connecting' };
  }

  start(observer: Observer): void {
    const pods = this.#pods;
    if (!pods) return;
    setImmediate(() => {
      for (const pod of pods) observer.pod(pod);
      this.state = { name: this.name, state: 'ok', pods: pods.length };
      observer.synced(new Set(pods.map(({ key }) => key)), new Set());
    });
  }

  async stop(): Promise<void> {
    this.isStopped = true;
  }
}

class Dead implements Source {
  readonly name = 'cilium';
  readonly state: SourceState = { name: 'cilium', state: 'failed', why: 'nobody answers' };
  start(): void {}
  async stop(): Promise<void> {}
}
