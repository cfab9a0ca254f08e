import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HoldBack } from '../../../../src/attach/fleet/hold-back.js';

const START = Date.parse('2026-11-22T09:49:00Z');

describe('events are let go in the order of their times', () => {
  test('whatever the order is in which they came', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 5_000_000 }), { maxLength: 300 }), (times) => {
        const held = new HoldBack<string>();
        for (const us of times) held.add(timeAt(us), timeAt(us), 10, START + 10_000);
        expect(held.bytes).toBe(10 * times.length);
        expect(all(held, START + 10_000)).toEqual(times.map(timeAt).sort());
        expect([held.size, held.bytes]).toEqual([0, 0]);
      }),
    );
  });

  test('within a millisecond too, and those of the same time as they came', () => {
    const held = new HoldBack<string>();
    held.add('second', '2026-11-22T09:49:01.000000002Z', 1, START + 5000);
    held.add('third', '2026-11-22T09:49:01.000000003Z', 1, START + 5000);
    held.add('first', '2026-11-22T09:49:01.000000001Z', 1, START + 5000);
    held.add('third too', '2026-11-22T09:49:01.000000003Z', 1, START + 5000);
    expect(all(held, START + 5000)).toEqual(['first', 'second', 'third', 'third too']);
  });

  test('up to a time, and no further', () => {
    const held = new HoldBack<string>();
    for (const us of [3_000_000, 1_000_000, 2_000_000]) held.add(timeAt(us), timeAt(us), 1, START + 9000);
    expect(all(held, START + 2000)).toEqual([timeAt(1_000_000), timeAt(2_000_000)]);
    expect(held.size).toBe(1);
  });
});

test('one that comes when later ones are gone is late, and goes at once', () => {
  const held = new HoldBack<string>();
  expect(held.add('b', timeAt(2_000_000), 1, START + 9000).isLate).toBe(false);
  expect(all(held, START + 9000)).toEqual(['b']);
  expect(held.add('a', timeAt(1_000_000), 1, START + 9000).isLate).toBe(true);
  expect(held.add('c', timeAt(3_000_000), 1, START + 9000).isLate).toBe(false);
  expect(all(held, START + 9000)).toEqual(['a', 'c']);
});

test('a clock that is ahead of ours makes nobody else late, and holds nothing back for longer', () => {
  const held = new HoldBack<string>();
  const standing = held.add('ahead', timeAt(60_000_000), 1, START + 1000);
  expect(standing).toEqual({ keyMs: START + 1000, isLate: false, aheadMs: 59_000 });
  expect(all(held, START + 1000)).toEqual(['ahead']);
  expect(held.add('in time', timeAt(1_500_000), 1, START + 1600)).toMatchObject({
    isLate: false,
    aheadMs: 0,
  });
});

test('who takes them may stop for a while', () => {
  const held = new HoldBack<number>();
  for (let index = 0; index < 5; index++) held.add(index, timeAt(index), 1, START + 9000);
  const taken: number[] = [];
  held.release(START + 9000, (item) => taken.push(item) < 2);
  expect(taken).toEqual([0, 1]);
  held.release(START + 9000, (item) => taken.push(item) > 0);
  expect(taken).toEqual([0, 1, 2, 3, 4]);
});

function all<T>(held: HoldBack<T>, untilMs: number): T[] {
  const taken: T[] = [];
  held.release(untilMs, (item) => taken.push(item) > 0);
  return taken;
}

/** So many microseconds after the start. */
function timeAt(us: number): string {
  const seconds = new Date(START + Math.floor(us / 1_000_000) * 1000).toISOString().slice(0, 19);
  return `${seconds}.${String(us % 1_000_000).padStart(6, '0')}000Z`;
}
