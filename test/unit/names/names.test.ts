import { describe, expect, test } from 'vitest';
import { Locations } from '../../../src/names/locations.js';
import { ReasonNames } from '../../../src/names/reasons.js';

describe('ReasonNames', () => {
  const names = new ReasonNames(
    new Map([
      [16, 'IP_RPFILTER'],
      [0x2_0001, 'OVS_DROP_LAST_ACTION'],
    ]),
  );

  test('are those of the running kernel, subsystems included', () => {
    expect(names.name(16)).toBe('IP_RPFILTER');
    expect(names.name(0x2_0001)).toBe('OVS_DROP_LAST_ACTION');
  });

  test('a number that this kernel does not name says whose number it is', () => {
    expect(names.name(99)).toBe('REASON_99');
    expect(names.name(0x3_0007)).toBe('SUBSYS_3_7');
    expect(names.name(0xffff_0001)).toBe('SUBSYS_65535_1');
  });

  test.each(['IP_RPFILTER', 'ip_rpfilter', 'SKB_DROP_REASON_IP_RPFILTER', 'skb_drop_reason_ip_rpfilter'])(
    '%s is found',
    (name) => {
      expect(names.find(name)).toBe(16);
    },
  );

  test('an unknown name is not', () => {
    expect(names.find('IP_RPFILTR')).toBeUndefined();
  });
});

describe('Locations', () => {
  test('asks the kernel once for each address', () => {
    const asked: bigint[] = [];
    const locations = new Locations((address) => {
      asked.push(address);
      return 'ip_rcv_finish_core+0x25b';
    });
    expect(locations.name(1n)).toBe('ip_rcv_finish_core+0x25b');
    expect(locations.name(1n)).toBe('ip_rcv_finish_core+0x25b');
    expect(asked).toEqual([1n]);
  });

  test('shows the address where the kernel gives no symbol', () => {
    const locations = new Locations(() => undefined);
    expect(locations.name(0xffff_ffff_8100_0123n)).toBe('0xffffffff81000123');
    expect(locations.name(0x12n)).toBe('0x0000000000000012');
  });
});
