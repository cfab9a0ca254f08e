import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { event } from '../../../src/events.js';
import { FLAGS, LOST_WHERE } from '../../../src/record/layout.gen.js';
import { Session } from '../../../src/session.js';
import { DropEventSink } from '../../../src/sink/event-sink.js';
import { QueueSink } from '../../../src/sink/queue.js';
import { FakeAddon } from '../../fixtures/addon.js';
import { type DropFields, makeBatch, makeDrop, makeLost } from '../../fixtures/batch.js';
import { traceLines } from '../../fixtures/pipeline.js';
import { FakeSource, mssql } from '../../fixtures/source.js';

const L4 = FLAGS.DEVICE | FLAGS.CONF | FLAGS.L3 | FLAGS.L4_PROTOCOL | FLAGS.L4;
const AGGREGATE = L4 | FLAGS.AGGREGATE;

describe('NdjsonSink', () => {
  test('writes a drop as docs/events.md has it, keys in this order', async () => {
    const addon = new FakeAddon();
    addon.routes.set('10.244.3.136', {
      ...{ type: 1, table: 254, prefix: '10.244.3.0/24', gateway: '10.244.3.1' },
      ...{ device: 'cilium_host', ifindex: 4, hops: [4], hopCount: 1 },
    });
    const pods = { sources: [new FakeSource('cilium', [mssql()])] };
    const { lines } = await traceLines([makeDrop({ netns: 7 })], { addon, pods });
    expect(lines[1]).toBe(
      '{"v":1,"kind":"drop","time":"2026-11-18T11:06:45.000000123Z","node":"node-1","count":1,' +
        '"reason":"IP_RPFILTER","location":"ip_rcv_finish_core+0x25b","hook":"tp_btf/kfree_skb",' +
        '"skb":"0xffff888100001200","packet":{"family":"ipv4","protocol":"udp","src":"10.244.3.136",' +
        '"src_port":38112,"dst":"203.0.113.9","dst_port":53,"length":60,"ttl":64,"mark":0,"gso_segs":1},' +
        '"device":{"name":"lxcabcd","ifindex":12,"role":"cilium_lxc","kind":"veth","netns":7},' +
        '"pod":{"namespace":"qfusion-admin","name":"mssql-0","ip":"10.244.3.136","direction":"from_pod","source":"cilium"},' +
        '"peer":{"ip":"203.0.113.9","kind":"external"},"cilium":{"endpoint_id":1234,"identity":4711},' +
        '"rpf":{"verdict":"unnumbered_mismatch","mode":{"all":1,"device":0,"effective":1,"decided_by":"all","unnumbered":true,' +
        '"accept_local":false,"src_valid_mark":false,"route_localnet":false,"forwarding":false},' +
        '"reverse_route":{"device":"cilium_host","ifindex":4,"table":254,"prefix":"10.244.3.0/24",' +
        '"gateway":"10.244.3.1","type":"unicast","evidence":"replay","certain":true},' +
        '"explanation":"10.244.3.136 arrived on lxcabcd, but the route back to it leaves by cilium_host; ' +
        'all.rp_filter=1 makes the check binding, and lxcabcd has no IPv4 address, so loose mode (2) would ' +
        'drop it too","fix":["sysctl -w net.ipv4.conf.all.rp_filter=0",' +
        '"ip route replace 10.244.3.136/32 dev lxcabcd"],"fix_where":"in network namespace 7, for which ' +
        'neither a name nor a process was found here"},"incident":"i-1",' +
        '"current_task":{"comm":"curl","pid":4321,"cgroup_id":"77","related":"maybe"}}',
    );
  });

  test('time, address and task are those of each drop, the rest is the flow’s', async () => {
    const { events } = await traceLines([
      makeDrop({ timeNs: 5_999_999_999n, skb: 1n, pid: 1, comm: 'a' }),
      makeDrop({ timeNs: 6_000_000_000n, skb: 0xffff_ffff_ffff_ffffn, pid: 2, comm: 'b' }),
      makeDrop({ timeNs: 6_000_000_001n, skb: 0x1_0000_0000n, pid: 1, comm: 'a' }),
    ]);
    expect(
      events
        .slice(1, 4)
        .map((drop) => [drop.time.slice(17), drop.skb, drop.current_task.comm, drop.device.name]),
    ).toEqual([
      ['45.999999999Z', '0x0000000000000001', 'a', 'lxcabcd'],
      ['46.000000000Z', '0xffffffffffffffff', 'b', 'lxcabcd'],
      ['46.000000001Z', '0x0000000100000000', 'a', 'lxcabcd'],
    ]);
  });

  test('an aggregate has a count, the first and the last time, and neither skb nor task', async () => {
    const { events } = await traceLines([
      makeDrop({ flags: AGGREGATE, count: 12_345n, firstNs: 5_000_000_000n, timeNs: 6_000_000_001n }),
      makeDrop({ flags: AGGREGATE, count: 1n, firstNs: 7n, timeNs: 7n }),
    ]);
    expect(events[1]).toMatchObject({
      count: 12_345,
      aggregate: 'flow',
      first_time: '2026-11-18T11:06:45.000000000Z',
      time: '2026-11-18T11:06:46.000000001Z',
    });
    expect(events[1]).not.toHaveProperty('skb');
    expect(events[1]).not.toHaveProperty('current_task');
    expect(events[2]).toMatchObject({ count: 1, aggregate: 'flow' });
  });

  test('a drop that was counted by device alone says so', async () => {
    const { events } = await traceLines([makeDrop({ flags: AGGREGATE | FLAGS.COARSE, count: 5n })]);
    expect(events[1]).toMatchObject({ count: 5, aggregate: 'device', device: { name: 'lxcabcd' } });
    expect(events[1].packet_unknown).toMatch(/flow table was full/);
    expect(events[1]).not.toHaveProperty('packet');
  });

  test('packet bytes are base64, with what they start with and why there are fewer', async () => {
    const snap = Uint8Array.of(0x45, 0, 0, 60, 0xff);
    const { events } = await traceLines([
      makeDrop({ snap, flags: L4 | FLAGS.SNAP_NONLINEAR }),
      makeDrop({ snap, flags: L4 | FLAGS.SNAP_MAC }),
    ]);
    expect(events[1]).toMatchObject({
      packet_bytes: 'RQAAPP8=',
      packet_bytes_from: 'network',
      packet_bytes_cut: 'nonlinear',
    });
    expect(events[2]).toMatchObject({ packet_bytes: 'RQAAPP8=', packet_bytes_from: 'mac' });
    expect(events[2]).not.toHaveProperty('packet_bytes_cut');
  });

  test('lost records stand in the stream where they happened', async () => {
    const { events } = await traceLines([
      makeDrop(),
      makeLost({ count: 9n, where: LOST_WHERE.LOST_RING, reason: 16, netns: 42 }),
      makeLost({ count: 1n, where: LOST_WHERE.LOST_RECURSION }),
      makeDrop(),
    ]);
    expect(events.map(({ kind }) => kind)).toEqual(['start', 'drop', 'lost', 'lost', 'drop', 'stop']);
    expect(events[2]).toMatchObject({ where: 'ring', count: 9, reason: 'IP_RPFILTER', netns: 42 });
    expect(events[3]).toMatchObject({ where: 'recursion', count: 1 });
    expect(events[3]).not.toHaveProperty('reason');
  });

  test.each([
    ['a node with quotes and beyond ASCII', { node: 'n"ö,"count":7,"skb":"0x' }, {}],
    ['a node whose lines are too long to be prepared', { node: 'n'.repeat(2000) }, {}],
    ['names with control characters and quotes', {}, { device: 'a"\\\n\x1b[31m', comm: '\x00\x01"' }],
    ['names that are not UTF-8', {}, { device: Uint8Array.of(0xff, 0xfe, 0x41), comm: Uint8Array.of(0xc3) }],
  ])('%s make valid lines', async (_, settings: { node?: string }, fields: DropFields) => {
    const drops = [makeDrop(fields), makeDrop({ ...fields, skb: 2n }), makeDrop({ ...fields, skb: 3n })];
    const { events } = await traceLines(drops, settings);
    for (const one of events) event.parse(one);
    expect(events.slice(1, 4).map((drop) => drop.skb.at(-1))).toEqual(['0', '2', '3']);
    if (settings.node) expect(events[1].node).toBe(settings.node);
  });

  test('writes what the library gives, for any record', async () => {
    const fields = fc.record({
      timeNs: fc.bigInt({ min: 0n, max: 2n ** 60n }),
      firstNs: fc.bigInt({ min: 0n, max: 2n ** 60n }),
      count: fc.bigInt({ min: 1n, max: 2n ** 40n }),
      skb: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      flags: fc.nat(2 ** 22 - 1),
      knobs: fc.nat(255),
      family: fc.constantFrom(4, 6),
      protocol: fc.constantFrom(1, 6, 17, 58, 253),
      reason: fc.constantFrom(0, 3, 16, 99, 0x3_0007),
      device: fc.uint8Array({ maxLength: 16 }),
      comm: fc.uint8Array({ maxLength: 16 }),
      src: fc.array(fc.nat(255), { minLength: 16, maxLength: 16 }),
      vlanId: fc.nat(4095),
      tcpFlags: fc.nat(255),
      snap: fc.uint8Array({ maxLength: 64 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(fields, { minLength: 1, maxLength: 6 }), async (all) => {
        const records = [...all, ...all].map(makeDrop);
        const { lines, events } = await traceLines(records);
        const fromLibrary = await libraryEvents(records);
        expect(lines.slice(1, -1)).toEqual(fromLibrary.slice(1, -1).map((one) => JSON.stringify(one)));
        for (const one of events) event.parse(one);
      }),
      { numRuns: 60 },
    );
  });
});

/** Without incidents: when they are told depends on the clock. */
async function libraryEvents(records: readonly Uint8Array[]): Promise<unknown[]> {
  const addon = new FakeAddon();
  const queue = new QueueSink();
  const session = new Session(addon, {
    config: {},
    filters: {},
    node: 'node-1',
    makeSink: (clock) => new DropEventSink(queue, clock, 'node-1'),
  });
  session.attach();
  session.announce();
  addon.tracer.deliver(makeBatch(records));
  await session.stop({ why: 'closed' });
  const events: { kind: string }[] = [];
  for (let one = await queue.next(); one; one = await queue.next()) events.push(one);
  return events.filter(({ kind }) => kind !== 'incident');
}
