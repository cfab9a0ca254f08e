import { expect, test } from 'vitest';
import { BackOff } from '../../../src/attach/back-off.js';

test('tries wait longer and longer, up to a bound, and from the start again after a good while', () => {
  const backOff = new BackOff();
  const waits = Array.from({ length: 12 }, () => backOff.next());
  for (const [index, ms] of waits.entries()) {
    const most = Math.min(250 * 2 ** index, 15_000);
    expect(ms).toBeGreaterThanOrEqual(most / 2);
    expect(ms).toBeLessThanOrEqual(most);
  }
  backOff.reset();
  expect(backOff.next()).toBeLessThanOrEqual(250);
});

test('two that wait do not come at the same time', () => {
  const firsts = Array.from({ length: 20 }, () => new BackOff().next());
  expect(new Set(firsts).size).toBeGreaterThan(10);
});
