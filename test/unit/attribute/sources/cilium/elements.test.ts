import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ElementSplitter } from '../../../../../src/attribute/sources/cilium/elements.js';

it('finds the elements of any list of objects, however it is cut', () => {
  const element = fc.dictionary(fc.string(), fc.jsonValue());
  fc.assert(
    fc.property(fc.array(element), fc.integer({ min: 1, max: 20 }), fc.boolean(), (list, size, pretty) => {
      const text = JSON.stringify(list, null, pretty ? 2 : 0);
      expect(JSON.stringify(split(text, size))).toBe(JSON.stringify(JSON.parse(text)));
    }),
  );
});

it.each([
  ['{"a":1}', 'no list'],
  ['null', 'no list'],
  ['[1,2]', 'no list'],
  ['[[]]', 'no list'],
  ['[{}] []', 'no list'],
  ['[{}]]', 'no list'],
  ['<html>', 'no list'],
  ['[{"a":1},{"b"', 'in the middle'],
  ['', 'in the middle'],
])('refuses %s', (text, why) => {
  expect(() => split(text, 3)).toThrow(why);
});

it('holds no more of an element than it may', () => {
  expect(() => split(`[{"a":"${'x'.repeat(200)}"}]`, 10, 100)).toThrow('more than 100');
});

function split(text: string, size: number, maxChars = 1e6): unknown[] {
  const elements: unknown[] = [];
  const splitter = new ElementSplitter((element) => elements.push(JSON.parse(element)), maxChars);
  for (let at = 0; at < text.length; at += size) splitter.push(text.slice(at, at + size));
  splitter.end();
  return elements;
}
