import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addressOf, bitsOf, covers, parseAddress, parsePrefix } from '../../../src/routes/prefix.js';

test('a prefix covers the addresses whose first bits are its own', () => {
  const address = fc.nat(0xffff_ffff);
  fc.assert(
    fc.property(address, address, fc.nat(32), (one, other, bits) => {
      const isSame = bits === 0 || one >>> (32 - bits) === other >>> (32 - bits);
      expect(covers(parsePrefix(`${dotted(one)}/${bits}`), parseAddress(dotted(other)))).toBe(isSame);
    }),
  );
});

test('its parts are what they are written as', () => {
  expect([addressOf('10.1.0.1/24'), bitsOf('10.1.0.1/24')]).toEqual(['10.1.0.1', 24]);
});

function dotted(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
}
