import { expect, test } from 'vitest';
import { Tally } from '../../../src/cli/tally.js';

test('gives the largest, and what all others make together', () => {
  const tally = new Tally();
  for (const [name, count] of [
    ['a', 1],
    ['b', 5],
    ['c', 3],
    ['b', 2],
  ] as const)
    tally.add(name, count);
  tally.addOthers(10);
  expect(tally.top(2)).toEqual({
    names: [
      ['b', 7],
      ['c', 3],
    ],
    others: 11,
  });
});

test('is bounded, and loses no count', () => {
  const tally = new Tally();
  tally.add('large', 1000);
  for (let index = 0; index < 20_000; index++) tally.add(`small ${index}`, 1);
  const { names, others } = tally.top(1);
  expect(names).toEqual([['large', 1000]]);
  expect(others).toBe(20_000);
});
