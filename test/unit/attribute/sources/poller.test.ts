import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Poller } from '../../../../src/attribute/sources/poller.js';

const PACE = { minMs: 100, maxMs: 10_000 };

it('looks at once, then ever more seldom while nothing changes', async () => {
  const { looks, poller } = polling(() => false);
  poller.start();
  await vi.advanceTimersByTimeAsync(0);
  expect(looks()).toBe(1);
  await vi.advanceTimersByTimeAsync(1000);
  const early = looks() - 1;
  await vi.advanceTimersByTimeAsync(60_000);
  const before = looks();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(early).toBeGreaterThanOrEqual(3);
  expect(looks() - before).toBeLessThanOrEqual(2);
});

it('looks often again after a change', async () => {
  let changed = false;
  const { looks, poller } = polling(() => changed);
  poller.start();
  await vi.advanceTimersByTimeAsync(100_000);
  changed = true;
  await vi.advanceTimersByTimeAsync(10_000);
  const before = looks();
  await vi.advanceTimersByTimeAsync(1000);
  expect(looks() - before).toBeGreaterThanOrEqual(9);
});

it('looks at once when nudged, but no more often than it may', async () => {
  const { looks, poller } = polling(() => false);
  poller.start();
  await vi.advanceTimersByTimeAsync(100_000);
  const before = looks();
  for (let i = 0; i < 90; i++) {
    poller.nudge();
    await vi.advanceTimersByTimeAsync(1);
  }
  expect(looks() - before).toBe(1);
  poller.nudge();
  await vi.advanceTimersByTimeAsync(100);
  expect(looks() - before).toBe(2);
});

it('never looks twice at the same time; who nudges meanwhile gets a look after it', async () => {
  let running = 0;
  let most = 0;
  const { looks, poller } = polling(async () => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    running--;
    return false;
  });
  poller.start();
  await vi.advanceTimersByTimeAsync(500);
  poller.nudge();
  await vi.advanceTimersByTimeAsync(700);
  expect(looks()).toBe(2);
  expect(most).toBe(1);
});

it('stops: waits for the look that runs, and looks no more', async () => {
  let aborted = false;
  const { looks, poller } = polling(async (signal) => {
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    aborted = true;
    return true;
  });
  poller.start();
  await vi.advanceTimersByTimeAsync(10);
  await poller.stop();
  expect(aborted).toBe(true);
  poller.nudge();
  await vi.advanceTimersByTimeAsync(100_000);
  expect(looks()).toBe(1);
});

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function polling(look: (signal: AbortSignal) => boolean | Promise<boolean>): {
  looks: () => number;
  poller: Poller;
} {
  let looks = 0;
  const poller = new Poller(async (signal) => {
    looks++;
    return await look(signal);
  }, PACE);
  return { looks: () => looks, poller };
}
