import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Cursor } from '../../../../src/serve/history/cursor.js';
import { CHUNK_BYTES } from '../../../../src/serve/history/journal.js';
import { firstSince, lastOf } from '../../../../src/serve/history/search.js';
import { aDrop, EPOCH, ToldJournal } from '../../../fixtures/journal.js';

describe('Journal', () => {
  test('writes into each line which event it is, and changes nothing else', () => {
    const told = new ToldJournal();
    told.tell(aDrop({ count: 3 }), aDrop({ count: 4 }));
    const [first, second] = told.text.trimEnd().split('\n');
    expect(JSON.parse(String(first))).toEqual({ ...aDrop({ count: 3 }), event_id: `${EPOCH}-1` });
    expect(JSON.parse(String(second))).toEqual({ ...aDrop({ count: 4 }), event_id: `${EPOCH}-2` });
  });

  test('numbers lines of any length without a gap, and forgets the oldest first', () => {
    const sizes = fc.array(fc.oneof(fc.nat(5000), fc.nat(200_000)), { maxLength: 60 });
    fc.assert(
      fc.property(sizes, (paddings) => {
        const told = new ToldJournal(4 * CHUNK_BYTES);
        for (const padding of paddings) told.tell(aDrop({ padding }));
        const { journal } = told;
        const numbers = told.text
          .split('\n')
          .slice(0, -1)
          .map((line) => Number(JSON.parse(line).event_id.split('-')[1]));
        const expected = Array.from(
          { length: journal.nextNumber - journal.oldestNumber },
          (_, index) => journal.oldestNumber + index,
        );
        expect(numbers).toEqual(expected);
        expect(journal.nextNumber).toBe(paddings.length + 1);
        const longest = Math.max(CHUNK_BYTES, ...paddings.map((padding) => padding + 1000));
        expect(journal.bytes).toBeLessThanOrEqual(Math.max(4 * CHUNK_BYTES, longest));
      }),
      { numRuns: 60 },
    );
  });

  test('uses the memory of what it forgot, unless somebody still needs it', () => {
    const told = new ToldJournal(2 * CHUNK_BYTES);
    const fill = () => told.tell(...Array.from({ length: 10 }, () => aDrop({ padding: 6000 })));
    fill();
    const pinned = told.journal.chunks[0];
    if (!pinned) throw new Error('no chunk');
    pinned.pins++;
    const text = pinned.bytes.toString('utf8', 0, pinned.used);
    for (let round = 0; round < 5; round++) fill();
    expect(told.journal.chunks).not.toContain(pinned);
    expect(pinned.bytes.toString('utf8', 0, text.length)).toBe(text);
  });
});

describe('Cursor', () => {
  test('tells exactly what was forgotten before it was read, in events and in drops', () => {
    const told = new ToldJournal(2 * CHUNK_BYTES);
    const cursor = new Cursor(told.journal, 1);
    told.tell(aDrop({ count: 5 }));
    expect(cursor.takeLoss()).toBeUndefined();
    expect(cursor.next()).toMatchObject({ from: 0, to: 1 });
    for (let count = 0; count < 100; count++) told.tell(aDrop({ count: 7, padding: 6000 }));
    const loss = cursor.takeLoss();
    let seen = 0;
    for (let span = cursor.next(); span; span = cursor.next()) seen += span.to - span.from;
    expect(loss?.events).toBeGreaterThan(0);
    expect(1 + (loss?.events ?? 0) + seen).toBe(101);
    expect(loss?.drops).toBe((loss?.events ?? 0) * 7);
  });

  test('says nothing of drops where nobody can know', () => {
    const told = new ToldJournal(2 * CHUNK_BYTES);
    for (let count = 0; count < 100; count++) told.tell(aDrop({ padding: 6000 }));
    expect(new Cursor(told.journal, 3).takeLoss()).toEqual({
      events: told.journal.oldestNumber - 3,
      drops: undefined,
    });
  });
});

describe('the start of a reader', () => {
  const at = (second: number) => `2026-11-22T09:49:${String(second).padStart(2, '0')}.000000000Z`;

  test('is found by time, also where the clock was set back meanwhile', () => {
    const told = new ToldJournal();
    told.tell(...[10, 11, 12, 5, 6].map((second) => aDrop({ time: at(second) })));
    expect(firstSince(told.journal, at(11))).toBe(2);
    expect(firstSince(told.journal, at(0))).toBe(1);
    expect(firstSince(told.journal, at(59))).toBe(6);
  });

  test('is the last events that are wanted, or all where there are not so many', () => {
    const told = new ToldJournal();
    told.tell(...['a', 'b', 'a', 'b', 'b'].map((device) => aDrop({ device })));
    expect(lastOf(told.journal, 2, ({ devices }) => devices?.includes('a') ?? false)).toBe(1);
    expect(lastOf(told.journal, 2, undefined)).toBe(4);
    expect(lastOf(told.journal, 50, undefined)).toBe(1);
  });
});
