import { readlinkSync } from 'node:fs';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import type { NativeConfig } from '../../src/native.js';
import { LAYOUT_HASH } from '../../src/record/layout.gen.js';
import { bpfObjectsOf } from '../process/support/bpf-objects.js';
import { addon, ClosedPort, dropsIn, Taker } from './support/addon.js';

const { Tracer } = addon;
let port: ClosedPort;

beforeAll(async () => {
  port = await ClosedPort.find();
});

const everyDrop = (): NativeConfig => ({ every: true, expression: port.expression });

describe('the addon', () => {
  it('was built with the layout that the decoder was generated from', () => {
    expect(addon.layoutHash).toBe(LAYOUT_HASH);
  });

  it('names the drop reasons of the running kernel', () => {
    const names = [...addon.reasons().values()];
    expect(names).toContain('NO_SOCKET');
    expect(names).not.toContain('MAX');
    expect(names.filter((name) => name.startsWith('SKB_DROP_REASON_'))).toEqual([]);
  });

  it('reads the counter of its own network namespace', () => {
    const inode = Number(/\d+/.exec(readlinkSync('/proc/self/ns/net'))?.[0]);
    const own = addon.netnsCounters().find((counter) => counter.netns === inode);
    expect(own?.reversePathFilter).toBeTypeOf('bigint');
  });

  it('checks filter expressions, and says where they break', () => {
    expect(addon.checkFilter('tcp and dst port 443')).toBeUndefined();
    expect(addon.checkFilter('tcp and dst port')).toMatchObject({ position: 16 });
    expect(() => addon.checkFilter('tcp\0')).toThrow('expression holds a NUL character');
    // @ts-expect-error: a caller without types
    expect(() => addon.checkFilter(7)).toThrow('expression must be a string, not a number');
  });

  it.each<[unknown, string]>([
    [undefined, 'config must be an object, not undefined (pass {} for the defaults)'],
    [[], 'config must be an object, not an array'],
    [{ evry: true }, 'config.evry is not known; there are: every, snaplen'],
    [{ every: 1 }, 'config.every must be true or false, not a number'],
    [{ snaplen: 2049 }, 'config.snaplen is 2049; it must be a whole number from 0 to 2048'],
    [{ snaplen: 1.5 }, 'config.snaplen is 1.5; it must be a whole number'],
    [{ snaplen: -1 }, 'config.snaplen is -1; it must be a whole number'],
    [{ netns: 'x' }, 'config.netns must be an array, not a string'],
    [
      { netns: [1, 2 ** 32] },
      'config.netns[1] is 4294967296; it must be a whole number from 0 to 4294967295',
    ],
    [{ reasons: Array(65).fill(1) }, 'config.reasons has 65 elements; at most 64 fit'],
    [
      { devices: ['abcdefghijklmnop'] },
      'config.devices[0] is "abcdefghijklmnop"; a device name has 1 to 15 bytes',
    ],
    [{ ringBytes: 100_000 }, 'ring_bytes 100000 is not a power of two'],
    [{ expression: 'host' }, 'filter expression, at byte 4'],
  ])('refuses config %j', (config, message) => {
    expect(() => new Tracer(config as NativeConfig)).toThrow(message);
  });
});

describe('a tracer', () => {
  it('hands over every drop, and counts it', async () => {
    const tracer = new Tracer(everyDrop());
    const taker = new Taker(tracer);
    await port.drop(300);
    await tracer.detach();

    expect(taker.dropped).toBe(300);
    expect(tracer.stats()).toMatchObject({ matched: 300n, delivered: 300n, records: 300n, lost: 0n });
    expect(tracer.totals().reduce((sum, total) => sum + total.matched, 0n)).toBe(300n);
    await tracer.close();
  });

  it('hands over the counts of flows with the last batches', async () => {
    const tracer = new Tracer({ expression: port.expression });
    const taker = new Taker(tracer);
    await port.drop(300);
    await tracer.detach();

    expect(taker.dropped).toBe(300);
    expect(tracer.stats().records).toBeLessThan(300n);
    await tracer.close();
  });

  it('names the function that dropped', async () => {
    const tracer = new Tracer(everyDrop());
    const locations = new Set<bigint>();
    tracer.attach((_error, slot, bytes) => {
      for (const drop of dropsIn(tracer.buffers[slot] as ArrayBuffer, bytes)) locations.add(drop.location);
      tracer.release(slot);
    });
    await port.drop(1);
    await tracer.detach();

    expect([...locations].map((location) => tracer.symbol(location))).toEqual([
      expect.stringMatching(/^\w*udp\w*\+0x[0-9a-f]+$/),
    ]);
    expect(() => tracer.symbol(1 as unknown as bigint)).toThrow('address must be a bigint, not a number');
    await tracer.close();
  });

  it('waits while all batches are out, and loses nothing', async () => {
    const tracer = new Tracer(everyDrop());
    const taker = new Taker(tracer, true);
    await port.drop(1);
    await taker.until(() => taker.out.length === 1);
    await port.drop(1);
    await taker.until(() => taker.out.length === 2);
    await port.drop(500);
    expect(taker.out).toHaveLength(2);
    expect(new Set(taker.out).size).toBe(2);

    Object.assign(taker, { keep: false });
    for (const slot of taker.out) tracer.release(slot);
    await tracer.detach();
    expect(taker.dropped).toBe(502);
    expect(tracer.stats().lost).toBe(0n);
    await tracer.close();
  });

  it('is detached when its last batch has been released', async () => {
    const tracer = new Tracer(everyDrop());
    const taker = new Taker(tracer, true);
    await port.drop(1);
    await taker.until(() => taker.out.length === 1);

    const settled = vi.fn();
    const detached = tracer.detach().then(settled);
    expect(tracer.detach()).toBe(tracer.detach());
    await taker.until(() => taker.dropped === 1);
    expect(bpfObjectsOf(process.pid).filter((object) => object.startsWith('link'))).toEqual([]);
    expect(settled).not.toHaveBeenCalled();

    for (const slot of taker.out) tracer.release(slot);
    await detached;
    await tracer.close();
  });

  it('refuses to release what is not out', async () => {
    const tracer = new Tracer(everyDrop());
    expect(() => tracer.release(0)).toThrow('slot 0 is not out; release each batch once');
    expect(() => tracer.release(2)).toThrow('slot is 2; it must be a whole number from 0 to 1');
    await tracer.close();
  });

  it('replaces its filters while it runs', async () => {
    const tracer = new Tracer(everyDrop());
    const taker = new Taker(tracer);
    await port.drop(10);
    tracer.configure({ devices: ['nosuchdevice'] });
    await port.drop(10);
    tracer.configure({ devices: ['l*'] });
    await port.drop(10);
    tracer.configure({ devices: ['lo'] });
    await port.drop(10);
    await tracer.detach();

    expect(taker.dropped).toBe(30);
    expect(() => tracer.configure({ expression: 'tcp' })).toThrow('cannot be replaced');
    await tracer.close();
  });

  it('does not let go of its memory when JavaScript gives it away', async () => {
    const tracer = new Tracer(everyDrop());
    const taker = new Taker(tracer);
    const [first] = tracer.buffers as [ArrayBuffer];
    try {
      structuredClone(first, { transfer: [first] });
    } catch {
      // Node 21 and newer refuse it, Node 20 copies instead
    }
    await port.drop(10);
    await tracer.detach();
    expect(taker.dropped).toBe(10);
    await tracer.close();
  });
});

describe('two tracers', () => {
  it('see the same drops, each through its own filter', async () => {
    const other = await ClosedPort.find();
    const first = new Tracer(everyDrop());
    const second = new Tracer({ every: true, expression: other.expression });
    const both = new Tracer({ expression: `udp and (dst port ${port.number} or dst port ${other.number})` });
    const takers = [first, second, both].map((tracer) => new Taker(tracer));
    await port.drop(20);
    await other.drop(30);

    await Promise.all([first.detach(), second.detach(), both.detach()]);
    expect(takers.map((taker) => taker.dropped)).toEqual([20, 30, 50]);
    await Promise.all([first.close(), second.close(), both.close()]);
  });
});
