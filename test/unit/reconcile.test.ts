import { describe, expect, test } from 'vitest';
import type { NativeNetnsCounter } from '../../src/native.js';
import { type CounterReadings, type NetnsAccount, reconcile } from '../../src/reconcile.js';

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
  const at = (netnsCookie: bigint, value: number): NativeNetnsCounter[] => [
    { netns: NETNS, netnsCookie, pid: 1, path: '/proc/1/ns/net', reversePathFilter: BigInt(value) },
  ];

  test('the new one is counted from 0, the old one cannot be compared', () => {
    const readings = {
      beforeAttach: at(5n, 40),
      afterAttach: at(5n, 40),
      beforeDetach: at(6n, 3),
      afterDetach: at(6n, 3),
    };
    const traced = [
      { netns: NETNS, netnsCookie: 5n, count: 9 },
      { netns: NETNS, netnsCookie: 6n, count: 3 },
    ];
    expect(reconcile(readings, traced)).toMatchObject([
      { traced: 9, reconciled: null },
      { traced: 3, kernel: 3, reconciled: true },
    ]);
  });

  test('shows by a counter that is lower than it was, where cookies are not known', () => {
    const readings = {
      beforeAttach: at(0n, 40),
      afterAttach: at(0n, 40),
      beforeDetach: at(0n, 3),
      afterDetach: at(0n, 3),
    };
    expect(reconcile(readings, [{ netns: NETNS, netnsCookie: 6n, count: 3 }])).toEqual([
      {
        netns: NETNS,
        traced: 3,
        reconciled: null,
        why: 'its inode number was given to another network namespace meanwhile',
      },
    ]);
  });

  test('shows by drops of both, where the cookies of the counters are not known', () => {
    const readings = {
      beforeAttach: at(0n, 0),
      afterAttach: at(0n, 0),
      beforeDetach: at(0n, 3),
      afterDetach: at(0n, 3),
    };
    const traced = [
      { netns: NETNS, netnsCookie: 5n, count: 9 },
      { netns: NETNS, netnsCookie: 6n, count: 3 },
    ];
    expect(reconcile(readings, traced)).toMatchObject([
      { traced: 9, reconciled: null },
      { traced: 3, reconciled: null },
    ]);
  });

  test('goes unnoticed where cookies are not known', () => {
    const readings = {
      beforeAttach: at(0n, 0),
      afterAttach: at(0n, 0),
      beforeDetach: at(0n, 3),
      afterDetach: at(0n, 3),
    };
    expect(reconcile(readings, [{ netns: NETNS, netnsCookie: 6n, count: 3 }])).toMatchObject([
      { traced: 3, kernel: 3, reconciled: true },
    ]);
  });
});

describe('drops that were counted without namespace and reason', () => {
  const place = { netns: NETNS, netnsCookie: 5n, pid: 1, path: '/proc/1/ns/net' };
  const at = (value: number) => [{ ...place, reversePathFilter: BigInt(value) }];
  const readings = { beforeAttach: at(0), afterAttach: at(0), beforeDetach: at(10), afterDetach: at(10) };

  test.each([
    [10, 5, 0, true],
    [6, 5, -4, null],
    [5, 5, -5, null],
    [4, 5, -6, false],
    [11, 5, 1, false],
  ])('%i traced of 10, %i without: a difference of %i is %s', (count, without, difference, reconciled) => {
    const [entry] = reconcile(readings, [{ netns: NETNS, netnsCookie: 5n, count }], without);
    expect(entry).toMatchObject({ kernel: 10, difference, reconciled });
    if (reconciled === null) expect(entry?.why).toContain('among the 5 drops');
  });
});

/** The counter at the four moments: undefined where the namespace is not visible, negative for an errno. */
function reconcileOne(values: readonly (number | undefined)[], traced: number): NetnsAccount | undefined {
  const [beforeAttach, afterAttach, beforeDetach, afterDetach] = values.map(reading) as [
    NativeNetnsCounter[],
    NativeNetnsCounter[],
    NativeNetnsCounter[],
    NativeNetnsCounter[],
  ];
  const readings: CounterReadings = { beforeAttach, afterAttach, beforeDetach, afterDetach };
  const accounts = reconcile(readings, traced > 0 ? [{ netns: NETNS, netnsCookie: 5n, count: traced }] : []);
  expect(accounts.length).toBeLessThanOrEqual(1);
  return accounts[0];
}

function reading(value: number | undefined): NativeNetnsCounter[] {
  if (value === undefined) return [];
  const place = { netns: NETNS, netnsCookie: 5n, pid: 1, path: '/proc/1/ns/net' };
  return [value < 0 ? { ...place, errno: -value } : { ...place, reversePathFilter: BigInt(value) }];
}
