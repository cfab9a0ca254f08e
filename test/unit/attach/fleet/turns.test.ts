import { expect, test } from 'vitest';
import { Turns } from '../../../../src/attach/fleet/turns.js';

test('only so many work at a time, in the order in which they came', async () => {
  const turns = new Turns(2);
  const began: number[] = [];
  const ends: (() => void)[] = [];
  const all = [0, 1, 2, 3].map((index) =>
    turns.take(async () => {
      began.push(index);
      await new Promise<void>((resolve) => ends.push(resolve));
    }, never()),
  );
  for (const count of [2, 3, 4, 4]) {
    await expect.poll(() => began.length).toBe(count);
    ends.shift()?.();
  }
  await Promise.all(all);
  expect(began).toEqual([0, 1, 2, 3]);
});

test('who waits no longer leaves at once, and takes no turn from the others', async () => {
  const turns = new Turns(1);
  let end = (): void => undefined;
  const first = turns.take(() => new Promise<void>((resolve) => (end = resolve)), never());
  const abort = new AbortController();
  const second = turns.take(() => Promise.reject(new Error('it had its turn')), abort.signal);
  const third = turns.take(async () => 'third', never());
  abort.abort();
  await expect(second).rejects.toMatchObject({ name: 'AbortError' });
  end();
  await first;
  expect(await third).toBe('third');
  expect(await turns.take(async () => 'once more', never())).toBe('once more');
});

function never(): AbortSignal {
  return new AbortController().signal;
}
