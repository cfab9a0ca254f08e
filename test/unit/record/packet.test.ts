import { describe, expect, test } from 'vitest';
import type { Packet } from '../../../src/events.js';
import { FLAGS } from '../../../src/record/layout.gen.js';
import { describePacket } from '../../../src/record/packet.js';
import type { DropFields } from '../../fixtures/batch.js';
import { readDrop } from '../../fixtures/reading.js';

const L3 = FLAGS.DEVICE | FLAGS.L3 | FLAGS.L4_PROTOCOL;
const L4 = L3 | FLAGS.L4;

describe('describePacket', () => {
  test('UDP over IPv4', () => {
    expect(known({ flags: L4 })).toEqual({
      family: 'ipv4',
      protocol: 'udp',
      src: '10.244.3.136',
      src_port: 38112,
      dst: '203.0.113.9',
      dst_port: 53,
      length: 60,
      ttl: 64,
      mark: 0,
      gso_segs: 1,
    });
  });

  test.each([
    [0x02, 'S'],
    [0x12, 'SA'],
    [0x11, 'FA'],
    [0x18, 'PA'],
    [0x14, 'RA'],
    [0xc2, 'SEC'],
    [0x00, ''],
  ])('TCP flags %i are written %s', (tcpFlags, text) => {
    expect(known({ flags: L4 | FLAGS.TCP_FLAGS, protocol: 6, tcpFlags })).toMatchObject({
      protocol: 'tcp',
      tcp_flags: text,
    });
  });

  test('ICMP has a type and a code and no ports', () => {
    const packet = known({ flags: L4, protocol: 1, icmpType: 8, icmpCode: 0 });
    expect(packet).toMatchObject({ protocol: 'icmp', icmp_type: 8, icmp_code: 0 });
    expect(packet).not.toHaveProperty('src_port');
  });

  test('IPv6', () => {
    const src = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    const dst = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2];
    const packet = known({ flags: L4, family: 6, ethertype: 0x86dd, protocol: 58, src, dst, icmpType: 135 });
    expect(packet).toMatchObject({ family: 'ipv6', protocol: 'icmpv6', src: 'fd00::1', dst: 'ff02::1:2' });
  });

  test.each([
    [FLAGS.L3_ABSENT, 'absent'],
    [FLAGS.L3_SHORT, 'short'],
    [FLAGS.L3_NONLINEAR, 'nonlinear'],
    [FLAGS.L3_MALFORMED, 'malformed'],
  ])('headers that were not read are said to be so, never guessed (flag %i: %s)', (flag, why) => {
    expect(known({ flags: FLAGS.DEVICE | flag, ethertype: 0x0800 })).toEqual({
      ethertype: '0x0800',
      headers_unknown: why,
      length: 60,
      mark: 0,
      gso_segs: 1,
    });
  });

  test.each([
    [FLAGS.L4_SHORT, 0, 'short'],
    [FLAGS.L4_NONLINEAR, 0, 'nonlinear'],
    [FLAGS.FRAGMENT, 1480, 'fragment'],
  ])('and so are transport headers', (flag, fragmentOffset, why) => {
    const packet = known({ flags: L3 | flag, fragmentOffset });
    expect(packet).toMatchObject({ src: '10.244.3.136', transport_unknown: why });
    expect(packet).not.toHaveProperty('dst_port');
  });

  test('ARP is told by its ethertype', () => {
    expect(known({ flags: FLAGS.DEVICE | FLAGS.L3_ABSENT, ethertype: 0x0806 })).toMatchObject({
      ethertype: '0x0806',
      headers_unknown: 'absent',
    });
  });

  test('a super-packet says how many packets it stands for, where somebody has counted them', () => {
    expect(known({ flags: L4, gsoSegs: 5, gsoSize: 1448 })).toMatchObject({ gso_segs: 5, gso_size: 1448 });
    expect(known({ flags: L4, gsoSegs: 0, gsoSize: 1448 })).not.toHaveProperty('gso_segs');
  });

  test('VLAN, fragment offset and a nonlinear part', () => {
    const flags = L4 | FLAGS.VLAN | FLAGS.FRAGMENT | FLAGS.NONLINEAR;
    expect(known({ flags, vlanId: 100, fragmentOffset: 0 })).toMatchObject({
      vlan_id: 100,
      fragment_offset: 0,
      nonlinear: true,
    });
  });

  test('a protocol without a name is a number', () => {
    expect(known({ flags: L3, protocol: 253 })).toMatchObject({ protocol: '253' });
  });

  test('a drop that was counted without its flow has no packet', () => {
    expect(packetOf({ flags: FLAGS.COARSE | FLAGS.AGGREGATE })).toBeUndefined();
  });
});

function packetOf(fields: DropFields): Packet | undefined {
  return describePacket(readDrop(fields));
}

/** What is known, as it is written: without the members that are undefined. */
function known(fields: DropFields): unknown {
  return JSON.parse(JSON.stringify(packetOf(fields)));
}
