import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  BatchReader,
  decodeCString,
  END_OF_BATCH,
  type SysctlReader,
  viewOf,
} from '../../../src/record/decode.js';
import {
  BATCH,
  DROP,
  HEADER,
  LOST_WHERE,
  RECORD_KIND,
  SYSCTL,
  SYSCTL_FLAGS,
} from '../../../src/record/layout.gen.js';
import { describePacket } from '../../../src/record/packet.js';
import {
  makeBatch,
  makeDrop,
  makeLink,
  makeLost,
  makeNetconf,
  makeRouteChange,
  makeSysctl,
  WALL_OFFSET_NS,
} from '../../fixtures/batch.js';

describe('BatchReader', () => {
  test('walks over the records of a batch', () => {
    const reader = open(
      makeBatch([
        makeDrop({ timeNs: 0x1_0000_0002n, count: 7n, snap: Uint8Array.of(1, 2, 3) }),
        makeLink({ ifindex: 5, name: 'lxcabcd', kind: 'veth', masterIfindex: 3 }),
        makeLost({ count: 9n, where: LOST_WHERE.LOST_RING, reason: 16, netns: 42 }),
      ]),
    );
    expect(reader.wallOffsetNs).toBe(WALL_OFFSET_NS);
    expect(reader.next()).toBe(RECORD_KIND.RECORD_DROP);
    expect(reader.drop).toMatchObject({ timeLow: 2, timeHigh: 1, count: 7, device: 'lxcabcd', comm: 'curl' });
    expect(reader.drop).toMatchObject({ src: '10.244.3.136', srcPort: 38112, rpFilterAll: 1 });
    expect([...reader.drop.snap]).toEqual([1, 2, 3]);
    expect(reader.next()).toBe(RECORD_KIND.RECORD_LINK);
    expect(reader.link).toMatchObject({
      ifindex: 5,
      name: 'lxcabcd',
      kind: 'veth',
      masterIfindex: 3,
      gone: false,
    });
    expect(reader.next()).toBe(RECORD_KIND.RECORD_LOST);
    expect(reader.lost).toMatchObject({ count: 9, where: LOST_WHERE.LOST_RING, reason: 16, netns: 42 });
    expect(reader.next()).toBe(END_OF_BATCH);
    expect(reader.next()).toBe(END_OF_BATCH);
    expect(reader.malformed).toBe(0);
  });

  test('reads signed and full-range members as the kernel has them', () => {
    const reader = open(
      makeBatch([
        makeDrop({
          rpFilterAll: -1,
          rpFilterDevice: -0x8000_0000,
          location: 0xffff_ffff_ffff_ffffn,
          netns: 0xffff_ffff,
          mark: 0xffff_ffff,
          count: 2n ** 51n,
        }),
      ]),
    );
    reader.next();
    expect(reader.drop).toMatchObject({
      rpFilterAll: -1,
      rpFilterDevice: -0x8000_0000,
      location: 0xffff_ffff_ffff_ffffn,
      netns: 0xffff_ffff,
      mark: 0xffff_ffff,
      count: 2 ** 51,
    });
  });

  test('reads who writes a setting', () => {
    const reader = open(
      makeBatch([
        makeSysctl({
          cgroupId: 0xffff_ffff_ffffn,
          position: 2,
          argsCut: true,
          cgroup: ['tuned.service', 'system.slice'],
        }),
      ]),
    );
    expect(reader.next()).toBe(RECORD_KIND.RECORD_SYSCTL);
    expect(reader.sysctl).toMatchObject({
      timeNs: 4_500_000_000n,
      cgroupId: 0xffff_ffff_ffffn,
      pid: 812,
      comm: 'tuned',
      name: 'net/ipv4/conf/all/rp_filter',
      oldValue: '0\n',
      newValue: '1\n',
      position: 2,
      flags: SYSCTL_FLAGS.SYSCTL_ARGS_CUT,
      parents: [{ pid: 1, comm: 'systemd' }],
      exeParts: ['tuned', 'sbin', 'usr'],
      cgroupParts: ['tuned.service', 'system.slice'],
      args: ['/usr/sbin/tuned', '-l', '-P'],
    });
  });

  test('a command line keeps its empty words, and the last one where it was cut', () => {
    const argsOf = (args: string[]) => {
      const reader = open(makeBatch([makeSysctl({ args })]));
      reader.next();
      return reader.sysctl.args;
    };
    expect(argsOf([])).toEqual([]);
    expect(argsOf(['sh', '', '-c'])).toEqual(['sh', '', '-c']);
    expect(argsOf(['x'.repeat(300)])).toEqual(['x'.repeat(256)]);
  });

  test('counts that are larger than the record read no more than it has', () => {
    const lying = makeSysctl();
    const words = new Uint32Array(lying.buffer);
    const { args_bytes, exe_parts, cgroup_parts } = SYSCTL;
    for (const at of [args_bytes, exe_parts, cgroup_parts, SYSCTL.parents]) words[at >> 2] = 0xffff_ffff;
    const reader = open(makeBatch([lying]));
    reader.next();
    expect(reader.sysctl.parents).toHaveLength(6);
    expect(reader.sysctl.exeParts).toHaveLength(6);
    expect(reader.sysctl.cgroupParts).toHaveLength(5);
    expect(reader.sysctl.args.join('').length).toBeLessThanOrEqual(256);
  });

  test('counts a record of unknown kind and goes on behind it', () => {
    const unknown = makeDrop();
    new Uint32Array(unknown.buffer)[HEADER.kind >> 2] = 99;
    const reader = open(makeBatch([unknown, makeDrop({ reason: 3 })]));
    expect(reader.next()).toBe(RECORD_KIND.RECORD_DROP);
    expect(reader.drop.reason).toBe(3);
    expect(reader.malformed).toBe(1);
  });

  test('counts a drop whose packet bytes would lie behind its end', () => {
    const lying = makeDrop();
    new Uint32Array(lying.buffer)[DROP.snap_bytes >> 2] = 1;
    const reader = open(makeBatch([lying, makeDrop()]));
    expect(reader.next()).toBe(RECORD_KIND.RECORD_DROP);
    expect(reader.malformed).toBe(1);
    expect(reader.next()).toBe(END_OF_BATCH);
  });

  test('counts a drop that stands for none, or for more than there can be', () => {
    const reader = open(makeBatch([makeDrop({ count: 0n }), makeDrop({ count: 2n ** 60n }), makeDrop()]));
    expect(reader.next()).toBe(RECORD_KIND.RECORD_DROP);
    expect(reader.drop.count).toBe(1);
    expect(reader.malformed).toBe(2);
  });

  test.each([
    ['too small', HEADER.size - 8],
    ['not a multiple of 8', DROP.size + 4],
    ['beyond the batch', DROP.size + 8],
    ['zero', 0],
  ])('gives up the rest of a batch at a size that is %s', (_, size) => {
    const broken = makeDrop();
    new Uint32Array(broken.buffer)[0] = size;
    const reader = open(makeBatch([makeDrop(), broken]));
    expect(reader.next()).toBe(RECORD_KIND.RECORD_DROP);
    expect(reader.next()).toBe(END_OF_BATCH);
    expect(reader.malformed).toBe(1);
  });

  test('a batch that claims more bytes than its buffer has is read as far as it goes', () => {
    const batch = makeBatch([makeDrop()]);
    const reader = new BatchReader();
    reader.open(viewOf(batch), batch.byteLength + 4096);
    expect(reader.next()).toBe(RECORD_KIND.RECORD_DROP);
    expect(reader.malformed).toBe(1);
  });

  test('a batch without an rpf_batch record has no wall offset', () => {
    const drop = makeDrop();
    const reader = open(drop.buffer as ArrayBuffer);
    expect(reader.wallOffsetNs).toBeUndefined();
    expect(reader.next()).toBe(RECORD_KIND.RECORD_DROP);
  });

  test('garbage never throws, never hangs and never reads outside of the batch', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2048 }), (bytes) => {
        const buffer = bytes.slice().buffer as ArrayBuffer;
        expect(walk(buffer).every((end) => end <= buffer.byteLength)).toBe(true);
      }),
    );
  });

  test('a batch in which some bytes are wrong is read as far as it makes sense', () => {
    const records = [makeDrop({ snap: new Uint8Array(40) }), makeSysctl(), makeDrop()];
    const whole = new Uint8Array(makeBatch(records));
    const change = fc.tuple(fc.nat(whole.length - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(change, { maxLength: 20 }), fc.nat(whole.length), (changes, length) => {
        const bytes = whole.slice(0, length);
        for (const [at, value] of changes) if (at < length) bytes[at] = value;
        expect(walk(bytes.buffer).every((end) => end <= length)).toBe(true);
      }),
    );
  });
});

describe('records of routes and settings', () => {
  test('a change of a route is read whole', () => {
    const reader = open(makeBatch([makeRouteChange({ hops: [4, 9], priority: 100, notBeforeNs: 7n })]));
    expect(reader.next()).toBe(RECORD_KIND.RECORD_ROUTE_CHANGE);
    const { routeChange } = reader;
    expect(routeChange.timeNs).toBe(4_500_000_000n);
    expect(routeChange.notBeforeNs).toBe(7n);
    expect([routeChange.prefix, routeChange.gateway, routeChange.device]).toEqual([
      '10.244.3.0/24',
      '10.244.3.1',
      'cilium_host',
    ]);
    expect([routeChange.portId, routeChange.table, routeChange.priority]).toEqual([812, 254, 100]);
    expect(routeChange.hops).toEqual([4, 9]);
  });

  test('next hops that the record has no room for are not made up', () => {
    const reader = open(makeBatch([makeRouteChange({ hops: Array.from({ length: 20 }, (_, hop) => hop) })]));
    reader.next();
    expect(reader.routeChange.hops).toHaveLength(8);
    expect(reader.routeChange.hopCount).toBe(20);
  });

  test('settings are those that it tells', () => {
    const values = { rp_filter: -1, forwarding: 1 };
    const reader = open(makeBatch([makeNetconf({ device: 'default', values }), makeNetconf({})]));
    expect(reader.next()).toBe(RECORD_KIND.RECORD_NETCONF);
    expect(reader.netconf.device).toBe('default');
    expect(reader.netconf.values).toEqual([
      ['rp_filter', -1],
      ['forwarding', 1],
    ]);
    reader.next();
    expect(reader.netconf.values).toEqual([]);
  });

  test('a change that stands for none, or is cut, is malformed', () => {
    const reader = open(
      makeBatch([makeRouteChange({ count: 0n }), cutBy(8, makeNetconf({})), makeRouteChange()]),
    );
    expect(reader.next()).toBe(RECORD_KIND.RECORD_ROUTE_CHANGE);
    expect(reader.malformed).toBe(2);
  });
});

describe('decodeCString', () => {
  test('ends at the first NUL, or at the length', () => {
    expect(decodeCString(Uint8Array.of(0x61, 0x62, 0, 0x63), 0, 4)).toBe('ab');
    expect(decodeCString(Uint8Array.of(0x61, 0x62, 0x63), 1, 2)).toBe('bc');
  });

  test('takes UTF-8, and U+FFFD for what is none', () => {
    expect(decodeCString(new TextEncoder().encode('grün\0x'), 0, 7)).toBe('grün');
    expect(decodeCString(Uint8Array.of(0x61, 0xff, 0x62), 0, 3)).toBe('a\ufffdb');
  });
});

/** The record without its last bytes, saying so. */
function cutBy(bytes: number, whole: Uint8Array): Uint8Array {
  const short = whole.slice(0, whole.length - bytes);
  new DataView(short.buffer).setUint32(0, short.length, true);
  return short;
}

function open(buffer: ArrayBuffer): BatchReader {
  const reader = new BatchReader();
  reader.open(viewOf(buffer), buffer.byteLength);
  return reader;
}

/** Reads every member of every record; returns where the drop records end. */
function walk(buffer: ArrayBuffer): number[] {
  const reader = open(buffer);
  const ends: number[] = [];
  for (let kind = reader.next(); kind !== END_OF_BATCH; kind = reader.next()) {
    if (kind === RECORD_KIND.RECORD_SYSCTL) readAll(reader.sysctl);
    if (kind !== RECORD_KIND.RECORD_DROP) continue;
    describePacket(reader.drop);
    const { snap, device, comm, peerDevice, deviceKind, count } = reader.drop;
    expect([typeof device, typeof comm, typeof peerDevice, typeof deviceKind]).toEqual(
      Array(4).fill('string'),
    );
    expect(count).toBeGreaterThanOrEqual(0);
    ends.push(snap.byteOffset + snap.byteLength);
  }
  expect(ends.length).toBeLessThanOrEqual((buffer.byteLength - BATCH.size) / DROP.size + 1);
  return ends;
}

function readAll(sysctl: SysctlReader): void {
  const { comm, name, oldValue, newValue, parents, exeParts, cgroupParts, args } = sysctl;
  expect([comm, name, oldValue, newValue].every((text) => text.length <= 64)).toBe(true);
  expect(Math.max(parents.length, exeParts.length, cgroupParts.length)).toBeLessThanOrEqual(6);
  expect(args.join('\0').length).toBeLessThanOrEqual(256);
}
