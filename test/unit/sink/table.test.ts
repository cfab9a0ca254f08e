import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import stringWidth from 'string-width';
import { describe, expect, test } from 'vitest';
import type { PodsOptions } from '../../../src/attribute/pods/pods.js';
import { FLAGS, LOST_WHERE } from '../../../src/record/layout.gen.js';
import { Session } from '../../../src/session.js';
import { DropEventSink } from '../../../src/sink/event-sink.js';
import { Output } from '../../../src/sink/output.js';
import { type TableOptions, TableSink } from '../../../src/sink/table.js';
import { FakeAddon } from '../../fixtures/addon.js';
import { makeBatch, makeDrop, makeLost } from '../../fixtures/batch.js';
import { temporaryDirectory } from '../../fixtures/directory.js';
import { incidentOf } from '../../fixtures/event.js';
import { FakeSource, mssql } from '../../fixtures/source.js';

const L4 = FLAGS.DEVICE | FLAGS.CONF | FLAGS.L3 | FLAGS.L4_PROTOCOL | FLAGS.L4;
const V6_LONG = [0x20, 1, 0x0d, 0xb8, 0x12, 0x34, 0x56, 0x78, 0xab, 0xcd, 0xef, 1, 0x23, 0x45, 0x67, 0x89];
const V6_OTHER = [...V6_LONG.slice(0, 15), 0x21];
const V6 = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

describe('TableSink', () => {
  test('aligns what a person needs, under a header', async () => {
    const lines = await table([
      makeDrop(),
      makeDrop({
        device: 'eth0',
        deviceKind: '',
        reason: 3,
        protocol: 6,
        flags: L4 | FLAGS.TCP_FLAGS,
        tcpFlags: 2,
      }),
      makeDrop({ family: 6, src: V6, dst: V6, flags: L4 & ~FLAGS.CONF, rpFilterAll: 0 }),
    ]);
    expect(lines).toEqual([
      'TIME          COUNT  REASON       VERDICT           DEVICE                SOURCE -> DESTINATION                 PROTO  RP_FILTER               LOCATION',
      '11:06:45.000      1  IP_RPFILTER  no_reverse_route  lxcabcd (cilium_lxc)  10.244.3.136:38112 -> 203.0.113.9:53  udp    all=1 dev=0 unnumbered  ip_rcv_finish_core+0x25b',
      '11:06:45.000      1  NO_SOCKET    -                 eth0 (physical)       10.244.3.136:38112 -> 203.0.113.9:53  tcp S  all=1 dev=0 unnumbered  ip_rcv_finish_core+0x25b',
      '11:06:45.000      1  IP_RPFILTER  -                 lxcabcd (cilium_lxc)  [fd00::1]:38112 -> [fd00::1]:53       udp    -                       ip_rcv_finish_core+0x25b',
    ]);
  });

  test('names the pod instead of its address, its device and the way back, and who is at the other end', async () => {
    const addon = new FakeAddon();
    addon.routes.set('10.244.3.136', {
      type: 1,
      table: 254,
      device: 'cilium_host',
      ifindex: 7,
      hops: [7],
      hopCount: 1,
    });
    const peers = [
      { key: 's', kind: 'service' as const, ips: ['10.96.0.1'], namespace: 'default', name: 'kubernetes' },
    ];
    const pods = { sources: [new FakeSource('cilium', [mssql()], peers)] };
    const dst = [10, 96, 0, 1];
    const records = [
      makeDrop({ dst, dstPort: 443 }),
      makeDrop({
        device: 'eth0',
        ifindex: 2,
        reason: 3,
        deviceKind: '',
        src: dst,
        srcPort: 443,
        dst: [10, 244, 3, 136],
      }),
    ];
    const ends = (lines: string[]) => lines.slice(1).map((line) => line.slice(lines[0]?.indexOf('SOURCE')));
    expect(ends(await table(records, { addon, pods }))).toEqual([
      expect.stringMatching(
        /^qfusion-admin\/mssql-0 \(lxcabcd, via cilium_host\) -> 10.96.0.1:443 \(default\/kubernetes\) /,
      ),
      expect.stringMatching(/^10.96.0.1:443 \(default\/kubernetes\) -> qfusion-admin\/mssql-0 \(eth0\) /),
    ]);
    expect(ends(await table(records, { addon, pods, size: terminal(80) }))).toEqual([
      expect.stringMatching(/^mssql-0 -> 10.96.0.1 /),
      expect.stringMatching(/^10.96.0.1 -> mssql-0 /),
    ]);
  });

  test.each([200, 120, 100, 80, 60, 40, 20, 1])(
    'no line is wider than a terminal of %i columns',
    async (columns) => {
      const lines = await table([makeDrop(), makeV6Drop()], { size: terminal(columns) });
      for (const line of lines) expect(stringWidth(line)).toBeLessThanOrEqual(columns);
    },
  );

  test('the narrower the terminal, the fewer columns; who lost what stays longest', async () => {
    const title = async (columns: number) => (await table([makeDrop()], { size: terminal(columns) }))[0];
    expect(await title(200)).toContain('LOCATION');
    expect(await title(140)).not.toContain('LOCATION');
    expect(await title(80)).toMatch(/^COUNT +REASON +DEVICE +SOURCE -> DESTINATION +RP_FILTER$/);
    expect(await title(60)).toMatch(/^REASON +DEVICE +SOURCE -> DESTINATION +RP_FILTER$/);
    expect(await title(50)).toMatch(/^REASON +DEVICE +SOURCE -> DESTINATION$/);
    expect(await title(40)).toMatch(/^REASON +SOURCE -> DESTINATION$/);
    expect(await title(20)).toBe('SOURCE -> DESTINATI…');
  });

  test('80 columns hold names, reason and mode', async () => {
    const lines = await table([makeDrop(), makeV6Drop({ reason: 89, device: 'lxc0123456789ab' })], {
      size: terminal(80),
    });
    expect(lines).toEqual([
      'COUNT  REASON       DEVICE                SOURCE -> DESTINATION        RP_FILTER',
      '    1  IP_RPFILTER  lxcabcd (cilium_lxc)  10.244.3.136 -> 203.0.113.9  1/0 unnum',
      'COUNT  REASON           DEVICE           SOURCE -> DESTINATION         RP_FILTER',
      '    1  IP_LOCAL_SOURCE  lxc0123456789ab  2001:d…:6789 -> 2001:d…:6721  -',
    ]);
  });

  test('a terminal that does not tell its size is taken for one of 80 columns', async () => {
    const untold = await table([makeDrop(), makeV6Drop()], { size: () => ({ columns: 0, rows: 0 }) });
    expect(untold).toEqual(await table([makeDrop(), makeV6Drop()], { size: terminal(80) }));
  });

  test('one long row takes room for two screens, not for ever', async () => {
    const rows = [makeV6Drop({ reason: 12 }), ...Array(20).fill(makeDrop())];
    const lines = await table(rows, { size: () => ({ columns: 140, rows: 10 }) });
    expect(lines[0]).not.toContain('TIME');
    expect(lines.at(-1)).toMatch(/^11:06:45.*10\.244\.3\.136:38112 -> 203\.0\.113\.9:53 /);
  });

  test('follows when the terminal is resized', async () => {
    const columns = [200, 200, 100, 100];
    const lines = await table([makeDrop(), makeDrop()], {
      size: () => ({ columns: columns.shift() ?? 80, rows: 50 }),
    });
    expect(lines.filter((line) => line.includes('SOURCE -> DESTINATION')).length).toBeGreaterThan(1);
  });

  test('the header comes again on each screen', async () => {
    const lines = await table(Array(20).fill(makeDrop()), { size: () => ({ columns: 200, rows: 10 }) });
    expect(lines.filter((line) => line.startsWith('TIME')).length).toBe(3);
  });

  test('names from the kernel never reach the terminal raw', async () => {
    const lines = await table([makeDrop({ device: '\x1b[2J\u202e\x07\n', comm: '\x1b' })], {
      size: terminal(200),
    });
    expect(lines[1]).toContain('\\x1b[2J\\u202e\\x07\\x0a');
    expect(lines.join('')).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
  });

  test('wide characters keep the columns in line', async () => {
    const lines = await table([makeDrop({ device: '网卡' }), makeDrop({ device: 'ab' })], {
      size: terminal(200),
    });
    const columnOf = (line: string | undefined) => stringWidth((line as string).split('10.244')[0] as string);
    expect(columnOf(lines[1])).toBe(columnOf(lines[2]));
  });

  test('colours only when asked to', async () => {
    expect((await table([makeDrop()], { color: true }))[1]).toContain('\x1b[1;31mIP_RPFILTER');
    expect((await table([makeDrop()], { color: false })).join('')).not.toContain('\x1b');
  });

  test('says what was lost where it was lost', async () => {
    const lines = await table([makeLost({ count: 7n, where: LOST_WHERE.LOST_RING, reason: 16 })]);
    expect(lines).toEqual(['-- 7 drops lost: the reader was too slow']);
  });

  test('drops without a flow, without headers and without a device have a line too', async () => {
    const lines = await table([
      makeDrop({ flags: FLAGS.DEVICE | FLAGS.COARSE | FLAGS.AGGREGATE, count: 1_000_000n }),
      makeDrop({ flags: FLAGS.L3_SHORT, reason: 0 }),
    ]);
    expect(lines[1]).toMatch(/ 1000000 {2}IP_RPFILTER .*\(many flows\)/);
    expect(lines[2]).toMatch(/ 1 {2}- .*0x0800, headers short/);
  });
});

function makeV6Drop(fields: Parameters<typeof makeDrop>[0] = {}): Uint8Array {
  const family = { family: 6, ethertype: 0x86dd, src: V6_LONG, dst: V6_OTHER };
  return makeDrop({ ...family, flags: L4 & ~FLAGS.CONF, rpFilterAll: 0, ...fields });
}

test('the incidents of several nodes are told apart, though they have the same id', async () => {
  const file = join(temporaryDirectory(), 'table');
  const sink = new TableSink(new Output({ file }), { color: false, size: () => undefined });
  sink.event(incidentOf({ node: 'n1', drops: 1000 }));
  sink.event(incidentOf({ node: 'n2', state: 'update', drops: 1 }));
  sink.event(incidentOf({ node: 'n2', state: 'closed' }));
  sink.event(incidentOf({ node: 'n1', state: 'update', drops: 1001 }));
  await sink.end();
  expect(readFileSync(file, 'utf8').trimEnd().split('\n')).toEqual([
    '== i-1 tuned set rp_filter',
    '== i-1, node n2: tuned set rp_filter',
    '== i-1, node n2: closed: tuned set rp_filter',
  ]);
});

function terminal(columns: number): TableOptions['size'] {
  return () => ({ columns, rows: 50 });
}

async function table(
  records: readonly Uint8Array[],
  options: Partial<TableOptions> & { incidents?: boolean; addon?: FakeAddon; pods?: PodsOptions } = {},
): Promise<string[]> {
  const { addon = new FakeAddon(), pods } = options;
  const file = join(temporaryDirectory(), 'table');
  const output = new Output({ file });
  const sink = new TableSink(output, { color: false, size: () => undefined, ...options });
  const session = new Session(addon, {
    config: {},
    filters: {},
    node: 'node-1',
    pods,
    makeSink: (clock) => new DropEventSink(sink, clock, 'node-1'),
  });
  session.attach();
  session.announce();
  addon.tracer.deliver(makeBatch(records));
  await session.stop({ why: 'duration' });
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  return options.incidents ? lines : lines.filter((line) => !line.includes('== i-'));
}
