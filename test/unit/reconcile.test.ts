import { describe, expect, test } from 'vitest';
import type { NativeNetnsCounter } from '../../src/native.js';
import { type CounterReadings, type NetnsAccount, reconcile, type Traced } from '../../src/reconcile.js';

const NETNS = 4_026_531_840;

describe('reconcile', () => {
  test('agrees when the kernel counted what was traced', () => {
    expect(reconcileOne([10, 10, 110, 110], 100)).toEqual({
      netns: NETNS,
      kernel: 100,
      traced: 100,
      difference: 0,
      reconciled: true,
    });
  });

  test.each([
    [99, -1],
    [101, 1],
    [0, -100],
  ])('%i traced of 100 is a difference of %i', (traced, difference) => {
    expect(reconcileOne([10, 10, 110, 110], traced)).toMatchObject({
      kernel: 100,
      difference,
      reconciled: false,
    });
  });

  // Attached somewhere between 0 and 5, detached somewhere between 105 and 112: 100 to 112 may have been seen.
  test.each([
    [99, -1, false],
    [100, 0, true],
    [106, 0, true],
    [112, 0, true],
    [113, 1, false],
  ])('drops during attach and detach leave a window: %i traced', (traced, difference, reconciled) => {
    const account = reconcileOne([0, 5, 105, 112], traced);
    expect(account).toMatchObject({ kernel: 112, window: 12, difference, reconciled });
    expect(account?.why).toContain('12 of the kernel');
  });

  test('a namespace that came later is counted from 0', () => {
    expect(reconcileOne([undefined, undefined, 7, 7], 7)).toMatchObject({
      kernel: 7,
      reconciled: true,
      why: 'not visible at the start: counted from 0',
    });
  });

  test('a namespace that is gone cannot be compared', () => {
    expect(reconcileOne([3, 3, undefined, undefined], 7)).toEqual({
      netns: NETNS,
      traced: 7,
      reconciled: null,
      why: 'the network namespace is gone, or was never visible from here',
    });
  });

  test('nor can one whose counter is not readable', () => {
    expect(reconcileOne([-13, -13, -13, -13], 7)).toMatchObject({
      reconciled: null,
      why: expect.stringContaining('13'),
    });
  });

  test('namespaces without such drops are not listed', () => {
    expect(reconcileOne([5, 5, 5, 5], 0)).toBeUndefined();
    expect(reconcileOne([-13, -13, -13, -13], 0)).toBeUndefined();
    expect(reconcileOne([5, 5, undefined, undefined], 0)).toBeUndefined();
  });

  test('drops that the kernel counted and nobody traced are', () => {
    expect(reconcileOne([5, 5, 8, 8], 0)).toMatchObject({
      kernel: 3,
      traced: 0,
      difference: -3,
      reconciled: false,
    });
  });
});

describe('an inode number that was given to another namespace', () => {
  test('the new one is counted from 0, the old one cannot be compared', () => {
    const readings = readingsOf(at(40, 5n), at(3, 6n));
    expect(reconcile(readings, [traced(9, 5n), traced(3, 6n)])).toMatchObject([
      { traced: 9, reconciled: null },
      { traced: 3, kernel: 3, reconciled: true },
    ]);
  });

  test('shows by a counter that is lower than it was, where cookies are not known', () => {
    expect(reconcile(readingsOf(at(40, 0n), at(3, 0n)), [traced(3, 6n)])).toEqual([
      {
        netns: NETNS,
        traced: 3,
        reconciled: null,
        why: 'its inode number was given to another network namespace meanwhile',
      },
    ]);
  });

  test('shows by drops of both, where the cookies of the counters are not known', () => {
    const readings = readingsOf(at(0, 0n), at(3, 0n));
    expect(reconcile(readings, [traced(9, 5n), traced(3, 6n)])).toMatchObject([
      { traced: 9, reconciled: null },
      { traced: 3, reconciled: null },
    ]);
  });

  test('goes unnoticed where cookies are not known', () => {
    expect(reconcile(readingsOf(at(0, 0n), at(3, 0n)), [traced(3, 6n)])).toMatchObject([
      { traced: 3, kernel: 3, reconciled: true },
    ]);
  });
});

describe('drops that were counted without their namespace', () => {
  test('are an entry of their own that cannot be compared', () => {
    const nameless = { netns: 0, netnsCookie: 0n, count: 3 };
    const accounts = reconcile(readingsOf(at(0), at(10)), [traced(10), nameless], 3);
    expect(accounts.map(({ netns, reconciled }) => [netns, reconciled])).toEqual([
      [NETNS, true],
      [0, null],
    ]);
    expect(accounts[1]?.why).toMatch(/it was not known, or too many had drops/);
  });

  test.each([
    [10, 5, 0, true],
    [6, 5, -4, null],
    [5, 5, -5, null],
    [4, 5, -6, false],
    [11, 5, 1, false],
  ])('%i traced of 10, %i without: a difference of %i is %s', (count, without, difference, reconciled) => {
    const [entry] = reconcile(readingsOf(at(0), at(10)), [traced(count)], without);
    expect(entry).toMatchObject({ kernel: 10, difference, reconciled });
    if (reconciled === null) expect(entry?.why).toContain('among the 5 drops');
  });
});

/** The counter at the four moments: undefined where the namespace is not visible, negative for an errno. */
function reconcileOne(values: readonly (number | undefined)[], count: number): NetnsAccount | undefined {
  const [beforeAttach = [], afterAttach = [], beforeDetach = [], afterDetach = []] = values.map((value) =>
    value === undefined ? [] : at(value),
  );
  const readings: CounterReadings = { beforeAttach, afterAttach, beforeDetach, afterDetach };
  const accounts = reconcile(readings, count > 0 ? [traced(count)] : []);
  expect(accounts.length).toBeLessThanOrEqual(1);
  return accounts[0];
}

/** Nothing was counted while the programs were attached or detached. */
function readingsOf(before: NativeNetnsCounter[], after: NativeNetnsCounter[]): CounterReadings {
  return { beforeAttach: before, afterAttach: before, beforeDetach: after, afterDetach: after };
}

/** Negative: an errno. */
function at(value: number, netnsCookie = 5n): NativeNetnsCounter[] {
  const place = { netns: NETNS, netnsCookie, pid: 1, path: '/proc/1/ns/net' };
  return [value < 0 ? { ...place, errno: -value } : { ...place, reversePathFilter: BigInt(value) }];
}

function traced(count: number, netnsCookie = 5n): Traced {
  return { netns: NETNS, netnsCookie, count };
}
