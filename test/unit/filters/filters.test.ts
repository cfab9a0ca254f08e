import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { TracerError } from '../../../src/errors.js';
import {
  type FilterSpec,
  type Filters,
  resolveEventFilters,
  resolveFilters,
} from '../../../src/filters/filters.js';
import { ownDevices } from '../../../src/filters/netns.js';
import { ReasonNames } from '../../../src/names/reasons.js';
import { REASON } from '../../../src/record/layout.gen.js';
import { FakeAddon } from '../../fixtures/addon.js';
import { temporaryDirectory } from '../../fixtures/directory.js';

const OWN_NETNS = statSync('/proc/self/ns/net').ino;

describe('resolveFilters', () => {
  test('nothing given filters nothing, and reads no names', () => {
    expect(resolve({})).toEqual({ config: {}, described: {}, reasonNames: undefined });
  });

  test('reasons by name, in any case, with or without their prefix, each once', () => {
    const { config, described } = resolve({
      reasons: ['no_socket', 'SKB_DROP_REASON_IP_RPFILTER', 'NO_SOCKET'],
    });
    expect(config.reasons).toEqual([3, 16]);
    expect(described.reasons).toEqual(['NO_SOCKET', 'IP_RPFILTER']);
  });

  test('the reasons of refused sources, as far as this kernel has them', () => {
    expect(resolve({ rpfOnly: true }).described.reasons).toEqual([
      'IP_RPFILTER',
      'IP_LOCAL_SOURCE',
      'ARP_REFUSED',
    ]);
    expect(resolve({ rpfOnly: true, reasons: ['NO_SOCKET'] }).described.reasons).toEqual([
      'IP_RPFILTER',
      'IP_LOCAL_SOURCE',
      'ARP_REFUSED',
      'NO_SOCKET',
    ]);
  });

  test('on a kernel without drop reasons the numbers that our own hooks give', () => {
    const addon = new FakeAddon();
    addon.names = new Map();
    const { config, described } = resolve({ rpfOnly: true }, addon);
    expect(described.reasons).toEqual(['IP_RPFILTER', 'ARP_REFUSED']);
    expect(config.reasons).toEqual([REASON.REASON_RPFILTER, REASON.REASON_ARP_REFUSED]);
  });

  test('an unknown reason is answered with those that are close', () => {
    expect(failure({ reasons: ['ip_rpfiltr'] })).toMatchObject({
      code: 'E_UNKNOWN_REASON',
      message: 'this kernel has no drop reason ip_rpfiltr; did you mean IP_RPFILTER?',
    });
  });

  test('a device that is there, and a pattern of devices that may come', () => {
    expect(resolve({ devices: ['lo', 'lxc*', '*'] }).config.devices).toEqual(['lo', 'lxc*', '*']);
  });

  test('a device that is not there is an error, with those that are close', () => {
    const error = failure({ devices: ['lo0'] });
    expect(error.code).toBe('E_UNKNOWN_DEVICE');
    expect(error.message).toMatch(
      /^there is no device lo0 in the network namespace of rpftrace; did you mean .*lo/,
    );
    expect(error.remedies.join()).toContain("--device 'lo0*'");
  });

  test.each(['', 'sixteen-bytes-xx', 'a*b', '*a', 'a**'])('%j is no device name', (device) => {
    expect(failure({ devices: [device] }).code).toBe('E_USAGE');
  });

  test('foreign names are not repeated raw', () => {
    expect(failure({ devices: ['\x1b[2J'] }).message).toContain('\\x1b[2J');
    expect(failure({ reasons: ['\x1b[2J'] }).message).toContain('\\x1b[2J');
    expect(failure({ netns: ['\x1b[2J'] }).message).toContain('\\x1b[2J');
  });

  test('a network namespace by path', () => {
    expect(resolve({ netns: ['/proc/self/ns/net', `/proc/${process.pid}/ns/net`] }).config.netns).toEqual([
      OWN_NETNS,
    ]);
  });

  test('a network namespace by number, if it is visible', () => {
    const addon = new FakeAddon();
    addon.netns = [{ netns: OWN_NETNS, netnsCookie: 5n, pid: process.pid, path: '/proc/self/ns/net' }];
    expect(resolve({ netns: [OWN_NETNS] }, addon).config.netns).toEqual([OWN_NETNS]);
    expect(failure({ netns: ['4026599999'] }, addon)).toMatchObject({ code: 'E_UNKNOWN_NETNS' });
  });

  test.each(['/proc/self/ns/mnt', '/etc/passwd', '/no/such/file', 'no-such-name'])('%s is none', (netns) => {
    expect(failure({ netns: [netns] })).toMatchObject({
      code: 'E_UNKNOWN_NETNS',
      message: expect.stringContaining('is not a network namespace'),
    });
  });

  test('an ordinary file is none', () => {
    const file = join(temporaryDirectory(), 'netns');
    writeFileSync(file, '');
    expect(failure({ netns: [file] }).code).toBe('E_UNKNOWN_NETNS');
  });

  test('devices are looked for in the network namespaces that are given', () => {
    const addon = new FakeAddon();
    addon.netns = [{ netns: OWN_NETNS, netnsCookie: 5n, pid: process.pid, path: '/proc/self/ns/net' }];
    expect(resolve({ netns: ['/proc/self/ns/net'], devices: ['lo'] }, addon).config.devices).toEqual(['lo']);
    const error = failure({ netns: ['/proc/self/ns/net'], devices: ['lo0'] }, addon);
    expect(error.message).toContain('in the network namespaces given');
  });

  test('a broken expression is marked where it breaks', () => {
    expect(failure({ expression: 'tcp and prot 5' })).toMatchObject({
      code: 'E_EXPRESSION',
      message: 'syntax error in filter expression\n  tcp and prot 5\n          ^',
    });
  });

  test('the mark counts characters as they are shown', () => {
    const { message } = failure({ expression: 'ü\x1b prot 5' });
    expect(message.split('\n').slice(1)).toEqual(['  ü\\x1b prot 5', '        ^']);
  });

  test('more than a filter holds is an error', () => {
    expect(failure({ devices: Array.from({ length: 17 }, (_, index) => `d${index}*`) })).toMatchObject({
      code: 'E_USAGE',
      message: '17 devices are given, a filter holds 16',
    });
  });
});

describe('resolveEventFilters', () => {
  const addon = new FakeAddon();
  const names = new ReasonNames(addon.names);
  const described = (spec: FilterSpec) => resolveEventFilters(() => names, spec).described;

  test('takes devices and network namespaces that are not there, and looks for none', () => {
    addon.netnsCounters = () => {
      throw new Error('it walks /proc');
    };
    expect(described({ devices: ['lxcgone', 'lxc*'], netns: ['4026599999', '4026599999'] })).toEqual({
      devices: ['lxcgone', 'lxc*'],
      netns: [4_026_599_999],
    });
  });

  test('takes reasons as the capture does, and reads their names for nothing else', () => {
    expect(described({ reasons: ['no_socket'] })).toEqual({ reasons: ['NO_SOCKET'] });
    expect(() => described({ reasons: ['no_sockt'] })).toThrow('did you mean NO_SOCKET?');
    const fail = () => {
      throw new Error('names were read');
    };
    expect(resolveEventFilters(fail, { devices: [], netns: [], namespaces: ['a'] })).toMatchObject({
      described: { namespaces: ['a'] },
    });
  });

  test.each(['/proc/self/ns/net', 'blue', '', '4294967296', '1'.repeat(400), '\x1b[2J'])(
    '%j is no network namespace as events have it',
    (netns) => {
      expect(() => described({ netns: [netns] })).toThrow(
        expect.objectContaining({
          code: 'E_USAGE',
          message: expect.stringMatching(/^[ -~]{0,66} is no inode number: events have no other name/),
        }),
      );
    },
  );

  test('has limits, and the names of devices have theirs', () => {
    const netns = Array.from({ length: 257 }, (_, index) => `/no/${index}`);
    expect(() => described({ netns })).toThrow('257 netns are given, a filter holds 256');
    expect(() => described({ devices: ['a*b'] })).toThrow('is not a device name of at most 15 bytes');
  });
});

test('the own devices are read from /proc', () => {
  expect(ownDevices()).toContain('lo');
});

function resolve(spec: FilterSpec, addon = new FakeAddon()): Filters {
  return resolveFilters(addon, spec);
}

function failure(spec: FilterSpec, addon = new FakeAddon()): TracerError {
  try {
    resolveFilters(addon, spec);
  } catch (error) {
    return error as TracerError;
  }
  throw new Error('nothing was thrown');
}
