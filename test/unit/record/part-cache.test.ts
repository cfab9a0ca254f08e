import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  CONTEXT_PART,
  FLOW_PART,
  PartCache,
  type RecordPart,
  TASK_PART,
} from '../../../src/record/part-cache.js';
import type { DropFields } from '../../fixtures/batch.js';
import { readDrop } from '../../fixtures/reading.js';

describe('PartCache', () => {
  test('makes a value once for equal parts', () => {
    const { cache, created } = counting(FLOW_PART, 8);
    const first = cache.find(readDrop({ timeNs: 1n, skb: 1n, comm: 'a' }));
    expect(cache.find(readDrop({ timeNs: 2n, skb: 2n, comm: 'b' }))).toBe(first);
    expect(cache.find(readDrop({ srcPort: 1 }))).not.toBe(first);
    expect(created()).toBe(2);
  });

  test('a context does not look at the packet, and looks at everything else', () => {
    const { cache } = counting(CONTEXT_PART, 64);
    const first = cache.find(readDrop({}));
    expect(
      cache.find(readDrop({ src: [1, 2, 3, 4], dst: [4, 3, 2, 1], srcPort: 7, mark: 1, length: 99 })),
    ).toBe(first);
    const others: DropFields[] = [
      { location: 1n },
      { reason: 1 },
      { netns: 1 },
      { ifindex: 1 },
      { device: 'eth0' },
      { family: 6 },
      { rpFilterAll: 2 },
      { rpFilterDevice: 2 },
      { flags: 0 },
      { knobs: 1 },
      { deviceFlags: 1 },
      { deviceType: 772 },
      { deviceKind: 'tun' },
      { peerIfindex: 1 },
      { peerNetns: 1 },
      { peerDevice: 'x' },
    ];
    for (const fields of others) expect(cache.find(readDrop(fields))).not.toBe(first);
  });

  test('is bounded: with one entry more everything is forgotten, after it was handed out', () => {
    const forgotten: number[][] = [];
    const cache = new PartCache<number>({
      part: TASK_PART,
      max: 4,
      create: (drop) => drop.pid,
      onClear: (values) => forgotten.push([...values]),
    });
    for (let pid = 1; pid <= 5; pid++) expect(cache.find(readDrop({ pid }))).toBe(pid);
    expect(forgotten).toEqual([[1, 2, 3, 4]]);
    expect(cache.find(readDrop({ pid: 5 }))).toBe(5);
  });

  test('offers forgotten values for use again', () => {
    const cache = new PartCache<{ pid: number }>({
      part: TASK_PART,
      max: 2,
      create: (drop, _, old) => Object.assign(old ?? { pid: 0 }, { pid: drop.pid }),
    });
    const first = cache.find(readDrop({ pid: 1 }));
    cache.clear();
    expect(cache.find(readDrop({ pid: 2 }))).toBe(first);
    expect(first.pid).toBe(2);
  });

  test('gives the part of an entry back', () => {
    const ids: number[] = [];
    const cache = new PartCache<number>({
      part: FLOW_PART,
      max: 4,
      create: (_, id) => {
        ids.push(id);
        return id;
      },
    });
    cache.find(readDrop({ srcPort: 1 }));
    cache.find(readDrop({ srcPort: 2, device: 'eth7' }));
    expect(ids).toEqual([0, 1]);
    expect(cache.reader(0)).toMatchObject({ srcPort: 1, device: 'lxcabcd', src: '10.244.3.136' });
    expect(cache.reader(1)).toMatchObject({ srcPort: 2, device: 'eth7' });
  });

  test('never takes one part for another, however many there are', () => {
    const cache = new PartCache<string>({
      part: TASK_PART,
      max: 16,
      create: (drop) => `${drop.pid} ${drop.comm}`,
    });
    const task = fc.record({ pid: fc.nat(40), comm: fc.constantFrom('a', 'b') });
    fc.assert(
      fc.property(fc.array(task, { maxLength: 100 }), (tasks) => {
        for (const { pid, comm } of tasks) expect(cache.find(readDrop({ pid, comm }))).toBe(`${pid} ${comm}`);
      }),
    );
  });
});

function counting(part: RecordPart, max: number): { cache: PartCache<object>; created: () => number } {
  let count = 0;
  const create = () => {
    count++;
    return {};
  };
  return { cache: new PartCache<object>({ part, max, create }), created: () => count };
}
