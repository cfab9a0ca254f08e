import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseSettingPath, settingName } from '../../../src/settings/name.js';
import { combine, parseValue } from '../../../src/settings/value.js';

describe('parseValue', () => {
  test.each([
    ['1\n', 1],
    ['-1', -1],
    [' 2 junk', 2],
    ['0x10', 16],
    ['010', 8],
    ['-0', 0],
    ['2147483647', 2147483647],
    ['-2147483648', -2147483648],
    ['2147483648', undefined],
    ['foo', undefined],
    ['1a', undefined],
    ['08', undefined],
    ['+1', undefined],
    ['', undefined],
    ['\n', undefined],
  ])('takes %j as the kernel does', (text, value) => {
    expect(parseValue(text)).toBe(value);
  });

  test('every int comes back', () => {
    fc.assert(
      fc.property(fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff }), (value) => {
        expect(parseValue(`${value}\n`)).toBe(value);
      }),
    );
  });
});

test.each([
  ['rp_filter', 0, 2, 2],
  ['rp_filter', -1, 0, 0],
  ['rp_filter', -1, -1, -1],
  ['accept_local', 0, 5, 1],
  ['route_localnet', 0, 0, 0],
  ['forwarding', 1, 0, 0],
])('%s of all %i and device %i is %i', (setting, all, device, effective) => {
  expect(combine(setting, all, device)).toBe(effective);
});

test('a setting has its device and its name for sysctl(8)', () => {
  const name = parseSettingPath('net/ipv4/conf/eth0.100/rp_filter');
  expect(name).toEqual({ device: 'eth0.100', setting: 'rp_filter' });
  expect(name && settingName(name)).toBe('net.ipv4.conf.eth0/100.rp_filter');
  expect(parseSettingPath('net/ipv4/ip_forward')).toEqual({ device: 'all', setting: 'ip_forward' });
  expect(parseSettingPath('net/ipv4/tcp_rmem')).toBeUndefined();
});
