import { describe, expect, test } from 'vitest';
import { Summary } from '../../../src/cli/summary.js';
import { FLAGS } from '../../../src/record/layout.gen.js';
import { FakeAddon } from '../../fixtures/addon.js';
import { makeDrop } from '../../fixtures/batch.js';
import { type TraceSettings, traceLines } from '../../fixtures/pipeline.js';

describe('Summary', () => {
  test('tells drops per reason, device and flow, and that the kernel agrees', async () => {
    const addon = new FakeAddon();
    const own = { netns: 4_026_531_840, netnsCookie: 5n, pid: 1, path: '/proc/1/ns/net' };
    addon.netns = [{ ...own, reversePathFilter: 0n }];
    const text = await summary(
      [makeDrop({ count: 1n }), makeDrop({ count: 1200n }), makeDrop({ dstPort: 54 })],
      {
        addon,
        meanwhile: ({ tracer }) => {
          addon.netns = [{ ...own, reversePathFilter: 1202n }];
          tracer.counters = { ...tracer.counters, seen: 1210n, matched: 1202n };
          tracer.rows = [
            { netns: own.netns, netnsCookie: 5n, reason: 16, seen: 1202n, matched: 1202n, lost: 0n },
          ];
        },
      },
    );
    expect(text.replace(/in [\d.]+ s/, 'in T s')).toBe(
      [
        'rpftrace: 1,202 drops of 1,210 that the kernel made in T s, 0 lost',
        '  by reason:',
        '    1,202  IP_RPFILTER',
        '  by device:',
        '    1,202  lxcabcd (cilium_lxc, netns 4026531840)',
        '  by flow:',
        '    1,201  udp 10.244.3.136:38112 -> 203.0.113.9:53 on lxcabcd',
        '        1  udp 10.244.3.136:38112 -> 203.0.113.9:54 on lxcabcd',
        '  every reverse-path drop agrees with the kernel’s own counter',
        '',
      ].join('\n'),
    );
  });

  test('tells what is not as it should be', async () => {
    const text = await summary([makeDrop({ count: 2n }), makeDrop()], {
      limit: 1,
      meanwhile: ({ tracer }) => {
        tracer.counters = { ...tracer.counters, seen: 9n, matched: 9n, lost: 1n, recursion: 4n };
        tracer.rows = [{ netns: 7, netnsCookie: 5n, reason: 16, seen: 9n, matched: 9n, lost: 1n }];
      },
    });
    expect(text).toContain('1 lost');
    expect(text).toContain('4 drops inside of the tracer itself went unseen');
    expect(text).toContain('1 more drops came after the last one asked for');
    expect(text).toContain('5 drops were captured and not written');
    expect(text).toContain('netns 7: 9 IP_RPFILTER drops traced: the network namespace is gone');
  });

  test('of very many flows it names some, and counts all', async () => {
    const drops = Array.from({ length: 3000 }, (_, index) => makeDrop({ srcPort: index }));
    const text = await summary([...drops.slice(0, 2999), makeDrop({ srcPort: 7, count: 50n })]);
    expect(text).toMatch(/by flow:\n +51 {2}udp 10\.244\.3\.136:7 ->/);
    expect(text).toMatch(/2,\d\d\d {2}others\n/);
  });

  test('names from outside are not repeated raw', async () => {
    expect(await summary([makeDrop({ device: '\x1b[2J' })])).toContain('\\x1b[2J (');
  });

  test('drops without a device or a flow have a name too', async () => {
    const text = await summary([
      makeDrop({ flags: FLAGS.L3_ABSENT, ethertype: 0x0806 }),
      makeDrop({ flags: FLAGS.DEVICE | FLAGS.COARSE | FLAGS.AGGREGATE }),
    ]);
    expect(text).toContain('no device, netns 4026531840');
    expect(text).toContain('ethertype 0x0806');
    expect(text).toContain('not told apart');
  });
});

async function summary(records: readonly Uint8Array[], settings: TraceSettings = {}): Promise<string> {
  const summary = new Summary();
  const { events } = await traceLines(records, {
    ...settings,
    onForget: (flows, recordOf) => summary.add(flows, recordOf),
  });
  return summary.format(events.at(-1));
}
