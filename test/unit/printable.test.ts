import fc from 'fast-check';
import { expect, test } from 'vitest';
import { printable } from '../../src/printable.js';

test.each([
  ['eth0', 'eth0'],
  ['grün 网卡 🚀', 'grün 网卡 🚀'],
  ['\x1b[31m', '\\x1b[31m'],
  ['a\nb\r\t\0', 'a\\x0ab\\x0d\\x09\\x00'],
  ['\x7f\x9b', '\\x7f\\x9b'],
  ['\u202eevil\u2066\u200f', '\\u202eevil\\u2066\\u200f'],
  ['\u2028\ufeff\u200b', '\\u2028\\ufeff\\u200b'],
  ['\ud800x', '\\ud800x'],
])('%j becomes %s', (text, safe) => {
  expect(printable(text)).toBe(safe);
});

test('whatever comes in, nothing that moves a cursor or turns a line comes out', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(printable(text)).not.toMatch(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u);
    }),
  );
});
