import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ListReader } from '../../../../../src/attribute/sources/kubernetes/list-reader.js';
import { WatchReader } from '../../../../../src/attribute/sources/kubernetes/watch-reader.js';

const item = fc.dictionary(fc.string(), fc.jsonValue());

/** The text in pieces of any size. */
function piecesOf(text: string, sizes: readonly number[]): Buffer[] {
  const bytes = Buffer.from(text);
  const pieces: Buffer[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] as number;
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

const sizes = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 });

test('a list is read the same however it is cut', () => {
  fc.assert(
    fc.property(
      fc.array(item),
      fc.string(),
      sizes,
      fc.boolean(),
      fc.boolean(),
      (items, text, cuts, isIndented, isLast) => {
        const metadata = { resourceVersion: '7', continue: text, note: '"items":[', more: [[{}]] };
        const list = isLast ? { kind: 'PodList', metadata, items } : { items, kind: 'PodList', metadata };
        const found: unknown[] = [];
        const reader = new ListReader((one) => found.push(one));
        for (const piece of piecesOf(JSON.stringify(list, null, isIndented ? 2 : 0), cuts))
          reader.push(piece);
        expect(reader.end()).toEqual({ resourceVersion: '7', continue: text === '' ? undefined : text });
        expect(found).toEqual(JSON.parse(JSON.stringify(items)));
      },
    ),
  );
});

test('a list that is cut off is none', () => {
  const text = JSON.stringify({ kind: 'PodList', metadata: {}, items: [{ a: '}]' }, { b: ['{'] }] });
  for (let length = 0; length < text.length; length++) {
    const reader = new ListReader(() => {});
    reader.push(Buffer.from(text.slice(0, length)));
    expect(() => reader.end()).toThrow('the list ended in the middle');
  }
});

test('a list without items, as Go writes it, is empty', () => {
  const reader = new ListReader(() => expect.unreachable());
  reader.push(Buffer.from('{"kind":"PodList","metadata":{"resourceVersion":"7"},"items":null}'));
  expect(reader.end().resourceVersion).toBe('7');
});

test('an item that is too large is passed over, not kept', () => {
  const found: unknown[] = [];
  const reader = new ListReader((one) => found.push(one));
  reader.push(Buffer.from('{"kind":"PodList","metadata":{},"items":[{"a":1},{"b":"'));
  const before = process.memoryUsage().arrayBuffers;
  for (let megabytes = 0; megabytes < 200; megabytes++) reader.push(Buffer.alloc(1 << 20, 0x78));
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(100 << 20);
  reader.push(Buffer.from('"},{"c":3}]}'));
  reader.end();
  expect(found).toEqual([{ a: 1 }, { c: 3 }]);
  expect(reader.tooLarge).toBe(1);
});

test('a list that never comes to its items is left', () => {
  const reader = new ListReader(() => {});
  reader.push(Buffer.from('{"metadata":{"a":"'));
  expect(() => reader.push(Buffer.alloc(1 << 20, 0x78))).toThrow('the list has no items, and no end');
});

test('events are read the same however they are cut, a half one not at all', () => {
  fc.assert(
    fc.property(fc.array(item), sizes, (objects, cuts) => {
      const lines = objects.map((object) => `${JSON.stringify({ type: 'ADDED', object })}\n`);
      const found: unknown[] = [];
      const reader = new WatchReader(({ object }) => found.push(object));
      const text = `${lines.join('\n')}{"type":"ADDED","object":{}}`;
      for (const piece of piecesOf(text, cuts)) reader.push(piece);
      expect(found).toEqual(JSON.parse(JSON.stringify(objects)));
    }),
  );
});

test.each([
  'nonsense',
  '{}',
  '7',
  'null',
  '{"type":"OTHER","object":{}}',
  '{"type":"ADDED"}',
  '{"type":"ADDED","object":7}',
])('%s is no event', (line) => {
  const reader = new WatchReader(() => expect.unreachable());
  expect(() => reader.push(Buffer.from(`${line}\n`))).toThrow(/no event|no JSON/);
});

test('an event that has no end is left', () => {
  const reader = new WatchReader(() => expect.unreachable());
  const flood = () => {
    for (let megabytes = 0; megabytes < 16; megabytes++) reader.push(Buffer.alloc(1 << 20, 0x78));
  };
  expect(flood).toThrow('an event of the watch is too large');
});
