import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Claims, Rivals } from '../../../../src/attribute/pods/claims.js';
import { Pod } from '../../../../src/attribute/pods/pod.js';

const IP = '10.244.3.7';

describe('Claims', () => {
  test('a pod that was there before anybody told of it is found', () => {
    const { claims, a } = world();
    claims.take(IP, a, 1000, 5000);
    expect(claims.find(IP, 1000)).toBe(a);
    expect(claims.find(IP, 9000)).toBe(a);
    expect(claims.find(IP, 999)).toBeUndefined();
  });

  test('one that is gone stays known, until another one has the key', () => {
    const { claims, a, b } = world();
    claims.take(IP, a, 1000, 1000);
    claims.release(IP, a, 50_000);
    expect(claims.find(IP, 51_000)).toBe(a);
    claims.take(IP, b, 60_000, 61_000);
    expect(claims.find(IP, 59_000)).toBe(a);
    expect(claims.find(IP, 60_000)).toBe(b);
    claims.forget(IP, a);
    expect(claims.find(IP, 59_000)).toBeUndefined();
  });

  test('the next one has it though nobody told yet that the last one is gone', () => {
    const { claims, a, b } = world();
    claims.take(IP, a, 1000, 1000);
    claims.take(IP, b, 60_000, 61_000);
    expect(claims.find(IP, 61_000)).toBe(b);
    expect(claims.find(IP, 59_999)).toBe(a);
  });

  test('between the two that may have had it, nobody is named', () => {
    const { claims, a, b } = world();
    claims.take(IP, a, 1000, 1000);
    claims.take(IP, b, 60_000, 61_000);
    const found = claims.find(IP, 60_500);
    expect(found).toBeInstanceOf(Rivals);
    expect((found as Rivals).pods).toEqual([a, b]);
  });

  test('a pod that waited long for its address does not have it before', () => {
    const { claims, a, b } = world();
    claims.take(IP, a, 10_000, 10_000);
    claims.release(IP, a, 100_000);
    claims.take(IP, b, 1000, 110_000);
    expect(claims.find(IP, 50_000)).toBe(a);
    expect(claims.find(IP, 110_000)).toBe(b);
  });

  test('an answer that time alone can change is not lasting', () => {
    const { claims, a, b } = world();
    claims.take(IP, a, 1000, 1000);
    expect(lasting(claims, 500)).toBe(false);
    expect(lasting(claims, 1000)).toBe(true);
    claims.take(IP, b, 60_000, 61_000);
    expect(lasting(claims, 59_000)).toBe(false);
    expect(lasting(claims, 61_000)).toBe(true);
  });

  test('whatever is told, and however late: nobody is named who had the key no more, or not yet', () => {
    fc.assert(
      fc.property(lives, fc.nat(400_000), (all, atMs) => {
        const { claims, pods } = play(all);
        const owner = pods.find(({ fromMs, untilMs }) => fromMs <= atMs && atMs < untilMs);
        const found = claims.find(IP, atMs);
        if (owner && found instanceof Pod) expect(found).toBe(owner.pod);
        const told = pods.find(({ pod }) => pod === found);
        if (told) expect(told.madeMs).toBeLessThanOrEqual(atMs);
      }),
      { numRuns: 2000 },
    );
  });

  test('nor while news are still on their way', () => {
    fc.assert(
      fc.property(lives, fc.nat(400_000), fc.nat(20_000), (all, atMs, laterMs) => {
        const { claims, pods } = play(all, atMs + laterMs);
        const owner = pods.find(({ fromMs, untilMs }) => fromMs <= atMs && atMs < untilMs);
        const found = claims.find(IP, atMs);
        if (owner?.isTold && found instanceof Pod) expect(found).toBe(owner.pod);
      }),
      { numRuns: 2000 },
    );
  });

  test('most moments are named all the same', () => {
    let named = 0;
    let owned = 0;
    for (const [all, atMs] of fc.sample(fc.tuple(lives, fc.nat(400_000)), 2000)) {
      const { claims, pods } = play(all);
      if (!pods.some(({ fromMs, untilMs }) => fromMs <= atMs && atMs < untilMs)) continue;
      owned++;
      if (claims.find(IP, atMs) instanceof Pod) named++;
    }
    expect(named / owned).toBeGreaterThan(0.7);
  });
});

/** How a pod had the key, in milliseconds: how long it waited for it, had it, and how late both were told. */
const life = fc.record({
  gapMs: fc.nat(20_000),
  waitMs: fc.oneof(fc.nat(2000), fc.nat(200_000)),
  hadMs: fc.integer({ min: 100, max: 100_000 }),
  toldLateMs: fc.nat(5000),
  goneLateMs: fc.nat(12_000),
  knowsBirth: fc.boolean(),
});

const lives = fc.array(life, { minLength: 1, maxLength: 6 });

interface Life {
  readonly gapMs: number;
  readonly waitMs: number;
  readonly hadMs: number;
  readonly toldLateMs: number;
  readonly goneLateMs: number;
  readonly knowsBirth: boolean;
}

/** Lets one pod after the other have the key, and tells of it in the order in which a source would. */
function play(lives: readonly Life[], lastMs = Number.POSITIVE_INFINITY) {
  const claims = new Claims(() => undefined);
  const pods: { pod: Pod; madeMs: number; fromMs: number; untilMs: number; isTold: boolean }[] = [];
  const news: { atMs: number; tell: () => void }[] = [];
  let clock = 0;
  for (const { gapMs, waitMs, hadMs, toldLateMs, goneLateMs, knowsBirth } of lives) {
    const pod = new Pod();
    const fromMs = clock + gapMs;
    const untilMs = fromMs + hadMs;
    const madeMs = knowsBirth ? Math.max(fromMs - waitMs, 0) : Number.NEGATIVE_INFINITY;
    const toldMs = Math.min(fromMs + toldLateMs, untilMs);
    pods.push({ pod, madeMs, fromMs, untilMs, isTold: toldMs <= lastMs });
    news.push({ atMs: toldMs, tell: () => claims.take(IP, pod, madeMs, toldMs) });
    const goneMs = untilMs + goneLateMs;
    news.push({ atMs: goneMs, tell: () => claims.release(IP, pod, goneMs) });
    clock = untilMs;
  }
  const told = news.filter(({ atMs }) => atMs <= lastMs).sort((a, b) => a.atMs - b.atMs);
  for (const { tell } of told) tell();
  return { claims, pods };
}

function lasting(claims: Claims, atMs: number): boolean {
  claims.isLasting = true;
  claims.find(IP, atMs);
  return claims.isLasting;
}

function world() {
  return { claims: new Claims(() => undefined), a: new Pod(), b: new Pod() };
}
