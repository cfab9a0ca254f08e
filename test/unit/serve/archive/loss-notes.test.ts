import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LossNotes } from '../../../../src/serve/archive/loss-notes.js';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

test('the first loss is told at once, then sums, at most one in 10 s', () => {
  const notes: string[] = [];
  const losses = new LossNotes((text) => notes.push(text));
  const told = () => notes.splice(0).map((text) => Number(/\d+/.exec(text)?.[0]));
  losses.add(3);
  expect(told()).toEqual([3]);
  for (let pass = 0; pass < 90; pass++) {
    losses.add(1);
    vi.advanceTimersByTime(100);
  }
  expect(told()).toEqual([]);
  vi.advanceTimersByTime(1000);
  expect(told()).toEqual([90]);
  vi.advanceTimersByTime(60_000);
  expect(told()).toEqual([]);
  losses.add(5);
  losses.add(6);
  losses.close();
  expect(told()).toEqual([5, 6]);
});
