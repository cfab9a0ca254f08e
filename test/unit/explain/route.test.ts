import { describe, expect, it } from 'vitest';
import { type Passage, ReverseRoutes } from '../../../src/explain/route.js';
import { FakeAddon } from '../../fixtures/addon.js';
import { POD_ROUTE } from '../../fixtures/routes.js';

const passage: Passage = { netns: 7, src: '10.244.3.136', dst: '203.0.113.9', mark: 0 };

class Bench {
  readonly addon = new FakeAddon();
  nowMs = 0;
  readonly routes = new ReverseRoutes({ addon: this.addon, now: () => this.nowMs });

  constructor() {
    this.addon.routes.set(passage.src, POD_ROUTE);
  }

  find(change: Partial<Passage> = {}) {
    return this.routes.find({ ...passage, ...change }).evidence.route;
  }

  policy(change: Partial<FakeAddon['policy']>) {
    this.addon.policy = { ...this.addon.policy, custom: true, ...change };
  }
}

describe('the way back to a source', () => {
  it('is asked for in its namespace, for the source alone where no rule looks further', () => {
    const bench = new Bench();
    expect(bench.find()).toMatchObject({ kind: 'found', type: 'unicast', hops: [4], certain: true });
    expect(bench.addon.asked).toEqual([{ netns: 7, dst: passage.src, mark: 0 }]);
  });

  it('is asked for once a second, whatever the destination', () => {
    const bench = new Bench();
    const first = bench.find();
    bench.nowMs = 999;
    expect(bench.find({ dst: '192.0.2.1' })).toBe(first);
    expect(bench.addon.asked).toHaveLength(1);
    bench.nowMs = 1000;
    expect(bench.find()).toBe(first); // asked again, and the same
    expect(bench.addon.asked).toHaveLength(2);
    bench.addon.routes.delete(passage.src);
    bench.nowMs = 2000;
    expect(bench.find()).toEqual({ kind: 'failed', lookup: 'none', certain: true });
  });

  it('is asked for at once when something has changed there, and only there', () => {
    const bench = new Bench();
    bench.find();
    bench.find({ netns: 8 });
    bench.addon.routes.set(passage.src, { ...POD_ROUTE, device: 'eth1', ifindex: 9, hops: [9] });
    bench.routes.forget(7);
    expect(bench.find()).toMatchObject({ device: 'eth1' });
    expect(bench.find({ netns: 8 })).toMatchObject({ device: 'cilium_host' });
    expect(bench.addon.asked).toHaveLength(3);
  });

  it('is the same object when a change has not moved it', () => {
    const bench = new Bench();
    const first = bench.find();
    bench.routes.forget(7);
    expect(bench.find()).toBe(first);
    expect(bench.addon.asked).toHaveLength(2);
  });

  it('follows rules that come and go', () => {
    const bench = new Bench();
    bench.find();
    bench.policy({ vrf: true });
    bench.routes.forget(7);
    expect(bench.find()).toMatchObject({ certain: false, uncertain: 'there are VRFs' });
  });

  it('is asked for per mark', () => {
    const bench = new Bench();
    bench.find();
    bench.find({ mark: 0x200 });
    expect(bench.addon.asked.map(({ mark }) => mark)).toEqual([0, 0x200]);
  });

  it('goes from the destination to the source where a rule looks at either', () => {
    const bench = new Bench();
    bench.policy({ source: true });
    bench.addon.routes.set(passage.dst, { type: 1, ifindex: 5, hops: [5], hopCount: 1 });
    bench.find();
    expect(bench.addon.asked.at(-1)).toEqual({
      netns: 7,
      dst: passage.src,
      src: passage.dst,
      iif: 5,
      mark: 0,
    });
    bench.addon.routes.set('192.0.2.10', { type: 2, ifindex: 5, hops: [5], hopCount: 1 });
    bench.find({ dst: '192.0.2.10' });
    expect(bench.addon.asked.at(-1)).toEqual({ netns: 7, dst: passage.src, src: '192.0.2.10', mark: 0 });
  });

  it('is not certain where the kernel refuses the reversed packet itself', () => {
    const bench = new Bench();
    bench.policy({ device: true });
    bench.addon.routes.set(passage.dst, { type: 1, ifindex: 5, hops: [5], hopCount: 1 });
    const ask = bench.addon.route.bind(bench.addon);
    bench.addon.route = (netns, query) => (query.iif === undefined ? ask(netns, query) : { errno: -22 });
    expect(bench.find()).toMatchObject({ kind: 'found', device: 'cilium_host', certain: false });
  });

  it.each([
    [-101, 'none'],
    [-113, 'unreachable'],
    [-13, 'prohibit'],
    [-22, 'blackhole'],
  ])('errno %i: %s', (errno, lookup) => {
    const bench = new Bench();
    bench.addon.routes.set(passage.src, { errno });
    expect(bench.find()).toEqual({ kind: 'failed', lookup, certain: true });
  });

  it('may be forbidden by a rule, which looks like a route of that type', () => {
    const bench = new Bench();
    bench.policy({ prohibit: true });
    bench.addon.routes.set(passage.src, { errno: -13 });
    expect(bench.find()).toMatchObject({ kind: 'failed', lookup: 'rule', certain: false });
  });

  it('has all next hops, and one of several is not certain', () => {
    const bench = new Bench();
    bench.addon.routes.set(passage.src, { ...POD_ROUTE, hops: [4, 5, 4], hopCount: 3, nexthopId: 9 });
    expect(bench.find()).toMatchObject({ hops: [4, 5], nexthopId: 9, certain: false });
    bench.nowMs = 1000;
    bench.addon.routes.set(passage.src, { ...POD_ROUTE, hops: [4, 4], hopCount: 12 });
    expect(bench.find()).toMatchObject({ certain: false, uncertain: expect.stringContaining('only 2') });
  });

  it('is not certain with VRFs, and with rules that look at what is not asked', () => {
    const bench = new Bench();
    bench.policy({ vrf: true, other: true });
    expect(bench.find()).toMatchObject({ certain: false, uncertain: expect.stringMatching(/VRFs.*ports/) });
  });

  it('is unknown, with why, where the namespace is gone or not told', () => {
    const bench = new Bench();
    bench.addon.rules = () => {
      throw Object.assign(new Error('gone'), { errno: -3 });
    };
    expect(bench.find()).toEqual({ kind: 'unknown', why: expect.stringContaining('was gone') });
    expect(bench.find({ netns: 0 })).toMatchObject({ kind: 'unknown' });
    expect(bench.addon.asked).toEqual([]);
  });

  it('is unknown for the rest of the second when too many sources come, and known again after it', () => {
    const bench = new Bench();
    const ask = bench.addon.route.bind(bench.addon);
    bench.addon.route = (netns, query) => {
      bench.nowMs += 2; // what a lookup takes on a slow machine
      return ask(netns, query);
    };
    const kinds = Array.from({ length: 60 }, (_, index) => bench.find({ src: `198.51.100.${index}` }).kind);
    expect(kinds.indexOf('unknown')).toBe(50);
    expect(kinds.slice(50)).toEqual(kinds.slice(50).map(() => 'unknown'));
    bench.nowMs = 1000;
    expect(bench.find({ src: '198.51.100.59' })).toMatchObject({ kind: 'failed' });
  });

  it('is known for a few sources even where each lookup has to wait for a CPU', () => {
    const bench = new Bench();
    const ask = bench.addon.route.bind(bench.addon);
    bench.addon.route = (netns, query) => {
      bench.nowMs += 110;
      return ask(netns, query);
    };
    const kinds = Array.from({ length: 20 }, (_, index) => bench.find({ src: `198.51.100.${index}` }).kind);
    expect(kinds.slice(0, 5)).not.toContain('unknown');
  });

  it('never takes more time than it may, even when the clock stands still', () => {
    const bench = new Bench();
    for (let index = 0; index < 20_000; index++) bench.find({ src: `10.0.${index >> 8}.${index & 255}` });
    expect(bench.addon.asked.length).toBeLessThan(5100);
  });
});
