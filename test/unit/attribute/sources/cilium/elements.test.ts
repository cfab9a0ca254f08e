import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ElementSplitter } from '../../../../../src/attribute/sources/cilium/elements.js';

it('finds the elements of any list of objects, however it is cut', () => {
  const element = fc.dictionary(fc.string(), fc.jsonValue());
  fc.assert(
    fc.property(fc.array(element), fc.integer({ min: 1, max: 20 }), fc.boolean(), (list, size, pretty) => {
      expect(split(JSON.stringify(list, null, pretty ? 2 : 0), size)).toEqual(list.map(asJson));
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
  expect(() => split(`[{"a":"${'x'.repeat(200)}"}]`, 10)).toThrow('more than 100');
});

function split(text: string, size: number): unknown[] {
  const elements: unknown[] = [];
  const splitter = new ElementSplitter(
    (element) => elements.push(JSON.parse(element)),
    text.includes('xxx') ? 100 : 1e6,
  );
  for (let at = 0; at < text.length; at += size) splitter.push(text.slice(at, at + size));
  splitter.end();
  return elements;
}

/** -0 is 0 in JSON. */
function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
