import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { TraceEvent } from '../../../../src/events.js';
import { Output } from '../../../../src/sink/output.js';
import { PcapngSink } from '../../../../src/sink/pcapng/pcapng.js';
import { temporaryDirectory } from '../../../fixtures/directory.js';
import { dropEventOf, UDP_PACKET } from '../../../fixtures/event.js';

const MAC = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
const IP = [0x45, 0, 0, 40];

describe('packets', () => {
  test('carry the nanosecond, the bytes and the length that they had', async () => {
    const [packet] = (
      await capture([dropEventOf({ packet_bytes: base64(IP), packet_bytes_from: 'network' })])
    ).packets;
    expect(packet).toMatchObject({ timeNs: 1795385222067380541n, original: 60, linkType: 101 });
    expect([...(packet?.bytes ?? [])]).toEqual(IP);
  });

  test.each([
    ['Ethernet', [...MAC, 8, 0, ...IP], 74],
    ['one VLAN tag', [...MAC, 0x81, 0, 0, 5, 8, 0, ...IP], 78],
    ['two VLAN tags', [...MAC, 0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 8, 0, ...IP], 82],
    ['a header that is cut', MAC, 74],
  ])('with %s are longer by it', async (_what, bytes, original) => {
    const { packets } = await capture([
      dropEventOf({ packet_bytes: base64(bytes), packet_bytes_from: 'mac' }),
    ]);
    expect(packets[0]).toMatchObject({ original, linkType: 1 });
  });

  test('that were only counted have the bytes of the one of their flow that came whole, and say how many they are', async () => {
    const counted = { aggregate: 'flow', count: 41, first_time: TIME } as const;
    const { packets } = await capture([
      dropEventOf({ packet_bytes: base64(IP), packet_bytes_from: 'network' }),
      dropEventOf({ packet: { ...UDP_PACKET, src_port: 2 }, ...counted }),
      dropEventOf({ node: 'another', ...counted }),
      dropEventOf(counted),
    ]);
    expect(packets.map(({ bytes }) => bytes.length)).toEqual([4, 0, 0, 4]);
    expect(packets[3]?.comments[0]).toBe('and 41 more of this flow, from 22:07:02.067380541Z on');
    expect(packets[0]?.comments[0]).toBe('IP_RPFILTER at ip_rcv_finish_core+0x25b');
  });

  test('say pod, verdict, fix and incident, one comment each, safe for a terminal', async () => {
    const { packets } = await capture([
      dropEventOf({
        pod: { namespace: 'shop', name: 'db-0\x1b[31m', direction: 'from_pod', source: 'cri' },
        peer: { ip: '10.96.0.1', kind: 'service', namespace: 'default', name: 'kubernetes' },
        rpf: { verdict: 'unnumbered_mismatch', explanation: 'because', fix: ['a', 'b'] },
        incident: 'i-1',
      }),
    ]);
    expect(packets[0]?.comments).toEqual([
      'IP_RPFILTER at ip_rcv_finish_core+0x25b',
      'from pod shop/db-0\\x1b[31m, the other end is service default/kubernetes',
      'unnumbered_mismatch: because',
      'fix: a  or  b',
      'incident i-1',
    ]);
  });

  test('have comments that are cut between characters', async () => {
    const explanation = 'ä'.repeat(2000);
    const { packets } = await capture([dropEventOf({ rpf: { verdict: 'not_rpf', explanation } })]);
    expect(packets[0]?.comments[1]).toMatch(/^not_rpf: ä+…$/);
    expect(Buffer.byteLength(packets[0]?.comments[1] ?? '')).toBeLessThanOrEqual(1000);
  });
});

describe('interfaces', () => {
  test('are one for each device and network namespace of a node', async () => {
    const { interfaces, packets } = await capture([
      dropEventOf({}),
      dropEventOf({ device: { name: 'eth0', ifindex: 2, role: 'physical', netns: 7 } }),
      dropEventOf({ device: { name: 'eth0', ifindex: 2, role: 'veth', kind: 'veth', netns: 8 } }),
      dropEventOf({}),
      dropEventOf({ device: { name_unknown: 'no_device', role: 'unknown' } }),
      dropEventOf({ node: 'another' }),
    ]);
    expect(packets.map(({ interfaceId }) => interfaceId)).toEqual([0, 1, 2, 0, 3, 4]);
    expect(interfaces).toEqual([
      { name: 'lxcabcd', description: 'cilium_lxc, veth, network namespace 7, node n' },
      { name: 'eth0', description: 'physical, network namespace 7, node n' },
      { name: 'eth0', description: 'veth, network namespace 8, node n' },
      { description: 'unknown, node n' },
      { name: 'lxcabcd', description: 'cilium_lxc, veth, network namespace 7, node another' },
    ]);
  });

  test('in endless number begin a new section', async () => {
    const drops = Array.from({ length: 4100 }, (_, ifindex) =>
      dropEventOf({ device: { name: 'eth0', ifindex, role: 'veth' } }),
    );
    const { sections, packets } = await capture(drops);
    expect(sections).toBe(2);
    expect(packets.at(-1)?.interfaceId).toBe(3);
  });
});

test('events that are no drops are entries of a journal, whole', async () => {
  const lost: TraceEvent = { v: 1, kind: 'lost', time: TIME, node: 'n', where: 'ring', count: 9 };
  const { entries } = await capture([dropEventOf({}), lost]);
  expect(entries).toEqual([
    [
      '__REALTIME_TIMESTAMP=1795385222067380',
      'MESSAGE=9 drops lost: the reader was too slow',
      'PRIORITY=4',
      'SYSLOG_IDENTIFIER=rpftrace',
      '_HOSTNAME=n',
      `RPFTRACE_EVENT=${JSON.stringify(lost)}`,
    ],
  ]);
});

const TIME = '2026-11-22T22:07:02.067380541Z';
function base64(bytes: readonly number[]): string {
  return Buffer.from(bytes).toString('base64');
}

async function capture(events: readonly TraceEvent[]) {
  const file = join(temporaryDirectory(), 'drops.pcapng');
  const sink = new PcapngSink(new Output({ file }), { snaplen: 256 });
  for (const event of events) sink.event(event);
  await sink.end();
  return parse(readFileSync(file));
}

/** As the format is described, and not as it is written here. */
function parse(bytes: Buffer) {
  const found = {
    sections: 0,
    interfaces: [] as { name?: string; description?: string }[],
    packets: [] as ReturnType<typeof parsePacket>[],
    entries: [] as string[][],
  };
  let linkTypes: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt32LE(at + 4);
    expect(length % 4).toBe(0);
    expect(bytes.readUInt32LE(at + length - 4)).toBe(length);
    const type = bytes.readUInt32LE(at);
    const body = bytes.subarray(at + 8, at + length - 4);
    if (type === 0x0a0d0d0a) {
      found.sections++;
      linkTypes = [];
    } else if (type === 1) {
      linkTypes.push(body.readUInt16LE(0));
      const options = parseOptions(body.subarray(8));
      const name = options.find(([code]) => code === 2)?.[1];
      const description = options.find(([code]) => code === 3)?.[1] as string;
      found.interfaces.push({ ...(name !== undefined && { name }), description });
    } else if (type === 6) found.packets.push(parsePacket(body, linkTypes));
    else if (type === 9) found.entries.push(body.toString('utf8').split('\n\n')[0]?.split('\n') ?? []);
    at += length;
  }
  return found;
}

function parsePacket(body: Buffer, linkTypes: readonly number[]) {
  const length = body.readUInt32LE(12);
  const interfaceId = body.readUInt32LE(0);
  return {
    interfaceId,
    linkType: linkTypes[interfaceId],
    timeNs: (BigInt(body.readUInt32LE(4)) << 32n) | BigInt(body.readUInt32LE(8)),
    original: body.readUInt32LE(16),
    bytes: body.subarray(20, 20 + length),
    comments: parseOptions(body.subarray(20 + Math.ceil(length / 4) * 4)).map(([, text]) => text),
  };
}

function parseOptions(bytes: Buffer): [code: number, text: string][] {
  const options: [number, string][] = [];
  for (let at = 0; bytes.readUInt16LE(at) !== 0; ) {
    const length = bytes.readUInt16LE(at + 2);
    options.push([bytes.readUInt16LE(at), bytes.subarray(at + 4, at + 4 + length).toString('utf8')]);
    at += 4 + Math.ceil(length / 4) * 4;
  }
  return options;
}
