import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Clock } from '../../../src/record/clock.js';

const SECOND = 1_000_000_000n;

describe('Clock', () => {
  test('writes RFC 3339 with nine digits', () => {
    const clock = new Clock(1_795_340_945n * SECOND);
    expect(clock.formatNs(123_456_789n)).toBe('2026-11-22T09:49:05.123456789Z');
    expect(clock.formatNs(SECOND)).toBe('2026-11-22T09:49:06.000000000Z');
    expect(clock.formatNs(999_999_999n)).toBe('2026-11-22T09:49:05.999999999Z');
  });

  test('keeps the distance of two times, whatever the offsets of their batches jitter by', () => {
    const clock = new Clock(0n);
    clock.learn(100n * SECOND, 1n);
    const first = clock.formatNs(5n);
    clock.learn(100n * SECOND - 40n, 5n);
    expect([first, clock.formatNs(6n)]).toEqual([
      '1970-01-01T00:01:40.000000005Z',
      '1970-01-01T00:01:40.000000006Z',
    ]);
  });

  test.each([5n, -5n])(
    'follows when the wall clock is set by %d hours; what was before keeps its time',
    (hours) => {
      const clock = new Clock(0n);
      const day = 86_400n * SECOND;
      clock.learn(day, SECOND);
      clock.learn(day, 3n * SECOND);
      const before = [SECOND, 3n * SECOND].map((ns) => clock.formatNs(ns));
      clock.learn(day + hours * 3600n * SECOND, 5n * SECOND);
      expect(clock.formatNs(4n * SECOND)).toBe(`1970-01-0${hours < 0n ? '1T19' : '2T05'}:00:04.000000000Z`);
      expect([SECOND, 3n * SECOND].map((ns) => clock.formatNs(ns))).toEqual(before);
      // Within the second of the step, too, in any order.
      const close = [3n * SECOND + 1n, 3n * SECOND, 3n * SECOND + 2n].map((ns) =>
        clock.formatNs(ns).slice(11, 13),
      );
      expect(close).toEqual(hours < 0n ? ['19', '00', '19'] : ['05', '00', '05']);
    },
  );

  test('that is set again and again costs no memory, and the newest times are right', () => {
    const clock = new Clock(0n);
    for (let step = 1n; step <= 10_000n; step++) clock.learn(step * SECOND, step * SECOND);
    expect(clock.formatNs(10_000n * SECOND)).toBe('1970-01-01T05:33:20.000000000Z');
  });

  test('the offset of the first batch replaces the one that was estimated', () => {
    const clock = new Clock(100n * SECOND);
    clock.learn(100n * SECOND + 7n, 1n);
    expect(clock.formatNs(0n)).toBe('1970-01-01T00:01:40.000000007Z');
  });

  test('any time in any order is written like Date writes it, and garbage within its bounds', () => {
    const offset = 1_795_340_945n * SECOND + 123_456_789n;
    const clock = new Clock(offset);
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (ns) => {
        const text = clock.formatNs(ns);
        expect(text).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
        const wall = ns + offset;
        if (wall > 253_402_300_799n * SECOND) return;
        const ms = new Date(Number(wall / 1_000_000n)).toISOString();
        expect(text.slice(0, 23)).toBe(ms.slice(0, 23));
        expect(text.slice(20, 29)).toBe(String(wall % SECOND).padStart(9, '0'));
      }),
    );
  });
});
