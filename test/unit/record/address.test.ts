import { isIPv6 } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatAddress, formatEndpoint } from '../../../src/record/address.js';

test.each([
  ['192.0.2.1', 53, '192.0.2.1:53'],
  ['2001:db8::1', 53, '[2001:db8::1]:53'],
  ['2001:db8::1', undefined, '2001:db8::1'],
  ['192.0.2.1', 0, '192.0.2.1:0'],
])('%s and port %s are one endpoint', (address, port, text) => {
  expect(formatEndpoint(address, port)).toBe(text);
});

describe('formatAddress', () => {
  test('IPv4 is the first four of the bytes', () => {
    expect(formatAddress(Uint8Array.of(9, 192, 0, 2, 255), 1, 4)).toBe('192.0.2.255');
  });

  test.each([
    ['::', '00000000000000000000000000000000'],
    ['::1', '00000000000000000000000000000001'],
    ['2001:db8::1', '20010db8000000000000000000000001'],
    ['2001:db8:0:1:1:1:1:1', '20010db8000000010001000100010001'],
    ['2001:0:0:1::1', '20010000000000010000000000000001'],
    ['2001:db8::1:0:0:1', '20010db8000000000001000000000001'],
    ['fe80::', 'fe800000000000000000000000000000'],
    ['::ffff:192.0.2.1', '00000000000000000000ffffc0000201'],
  ])('IPv6 as RFC 5952 wants it: %s', (text, bytes) => {
    expect(formatAddress(Buffer.from(bytes, 'hex'), 0, 6)).toBe(text);
  });

  test('every IPv6 address reads back as the same one', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
        const text = formatAddress(bytes, 0, 6);
        expect(isIPv6(text)).toBe(true);
        expect(new URL(`http://[${text}]`).hostname).toBe(new URL(`http://[${plain(bytes)}]`).hostname);
      }),
    );
  });
});

/** All eight groups, nothing left out. */
function plain(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex').match(/.{4}/g)?.join(':') ?? '';
}
