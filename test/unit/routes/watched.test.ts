import { describe, expect, test } from 'vitest';
import { Watched } from '../../../src/routes/watched.js';

class Bench {
  nowMs = 0;
  readonly listening = new Set<number>();
  readonly refused = new Set<number>();
  tries = 0;
  readonly watched = new Watched({
    own: 1,
    now: () => this.nowMs,
    watch: (netns, on) => {
      if (!on) this.listening.delete(netns);
      else this.tries++;
      if (on && !this.refused.has(netns)) this.listening.add(netns);
      return this.refused.has(netns) ? -3 : 0;
    },
  });
}

describe('the namespaces that are listened to', () => {
  test('are those that drops come from, each once, and our own without asking', () => {
    const bench = new Bench();
    bench.nowMs = 5;
    for (const netns of [1, 7, 7, 0, 8]) bench.watched.meet(netns);
    expect([...bench.listening]).toEqual([7, 8]);
    expect(bench.watched.sinceMs(7)).toBe(5);
    expect(bench.watched.sinceMs(1)).toBe(0);
    expect(bench.watched.sinceMs(0)).toBeUndefined();
  });

  test('are few: the one without drops for longest gives way, and none that has them', () => {
    const bench = new Bench();
    for (let netns = 10; netns < 25; netns++) bench.watched.meet(netns);
    bench.nowMs = 20_000;
    for (let netns = 11; netns < 25; netns++) bench.watched.meet(netns);
    bench.watched.meet(99);
    expect(bench.listening.has(99)).toBe(false);
    bench.nowMs = 31_000;
    bench.watched.meet(99);
    expect(bench.listening.has(99)).toBe(true);
    expect(bench.listening.has(10)).toBe(false);
    expect(bench.listening.size).toBe(15);
  });

  test('one that cannot be found is not looked for at each drop', () => {
    const bench = new Bench();
    bench.refused.add(7);
    for (let ms = 0; ms < 9_000; ms += 100) {
      bench.nowMs = ms;
      bench.watched.meet(7);
    }
    expect(bench.tries).toBe(1);
    bench.nowMs = 10_000;
    bench.refused.clear();
    bench.watched.meet(7);
    expect(bench.watched.sinceMs(7)).toBe(10_000);
  });

  test('a thousand at once are not all looked for', () => {
    const bench = new Bench();
    for (let netns = 100; netns < 1100; netns++) {
      bench.refused.add(netns);
      bench.watched.meet(netns);
    }
    expect(bench.tries).toBe(20);
  });

  test('one that the core gave up may be met again', () => {
    const bench = new Bench();
    bench.watched.meet(7);
    bench.watched.forget(7);
    expect(bench.watched.sinceMs(7)).toBeUndefined();
    bench.watched.meet(7);
    expect(bench.tries).toBe(2);
  });
});
