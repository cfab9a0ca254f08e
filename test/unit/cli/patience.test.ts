import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Patience } from '../../../src/cli/patience.js';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

describe('Patience', () => {
  test('ends soon with a reader that takes nothing', async () => {
    const { patience, endedAfter } = begin({ pending: 100, written: 7 });
    expect(await endedAfter(1400)).toBe(false);
    expect(await endedAfter(100)).toBe(true);
    expect(patience.why).toContain('the reader of the output does not read');
  });

  test('lasts as long as a slow reader takes something, to a limit', async () => {
    const output = { pending: 100, written: 0 };
    const { patience, endedAfter } = begin(output);
    for (let ms = 0; ms < 7000; ms += 1000) {
      output.written++;
      expect(await endedAfter(1000)).toBe(false);
    }
    output.written++;
    expect(await endedAfter(1000)).toBe(true);
    expect(patience.why).toContain('had not taken everything');
  });

  test('lasts while nothing waits for a reader: it is the machine that is slow', async () => {
    const { patience, endedAfter } = begin({ pending: 0, written: 7 });
    expect(await endedAfter(7900)).toBe(false);
    expect(await endedAfter(100)).toBe(true);
    expect(patience.why).toBe('the rest of what was captured was not drained yet, and is lost');
  });
});

function begin(output: { pending: number; written: number }) {
  const patience = new Patience(output);
  let isOver = false;
  patience.end().then(() => {
    isOver = true;
  });
  const endedAfter = async (ms: number) => {
    await vi.advanceTimersByTimeAsync(ms);
    return isOver;
  };
  return { patience, endedAfter };
}
