import { describe, expect, test } from 'vitest';
import { ROUTE_CHANGED } from '../../src/record/layout.gen.js';
import { Session } from '../../src/session.js';
import type { Sink } from '../../src/sink/sink.js';
import { FakeAddon } from '../fixtures/addon.js';
import { makeBatch, makeDrop, makeLink, makeRouteChange } from '../fixtures/batch.js';
import { traceLines } from '../fixtures/pipeline.js';

describe('a trace', () => {
  test('begins with what it runs on', async () => {
    const { events } = await traceLines([], {
      config: { every: true, snaplen: 64 },
      filters: { reasons: ['IP_RPFILTER'], devices: ['lxc*'] },
    });
    expect(events[0]).toMatchObject({
      v: 1,
      kind: 'start',
      node: 'node-1',
      mode: 'every',
      snaplen: 64,
      pid: process.pid,
      hooks: [
        { name: 'tp_btf/kfree_skb', arguments: 4, reads: 'typed' },
        { name: 'cgroup/sysctl' },
        { name: 'rtnetlink' },
        { name: 'tp_btf/sched_process_exec' },
        { name: 'tp_btf/fib_table_lookup', on_demand: true },
      ],
      filters: { reasons: ['IP_RPFILTER'], devices: ['lxc*'] },
      degraded: [],
    });
    expect(events[0]).not.toHaveProperty('interval_ms');
  });

  test('names what this kernel does not give', async () => {
    const addon = new FakeAddon();
    addon.names = new Map();
    addon.netns = [{ netns: 1, netnsCookie: 5n, pid: 1, path: '/proc/1/ns/net', errno: 13 }];
    const Plain = addon.Tracer;
    const { events } = await traceLines([], {
      addon: Object.assign(addon, {
        Tracer: class extends Plain {
          override stats() {
            const refused = { sysctlErrno: -1, refusedErrno: -1, resultErrno: -1, namesErrno: -1 };
            return { ...super.stats(), ...refused, kfreeSkbArguments: 2, probeRead: true };
          }
        },
      }),
    });
    expect(events[0].degraded.map(({ feature }: { feature: string }) => feature).sort()).toEqual([
      'arp_refused',
      'location',
      'reason',
      'reconciled',
      'reconciled',
      'source_refused',
      'typed_reads',
      'writer',
    ]);
    expect(events[0].hooks).toEqual([
      { name: 'tp_btf/kfree_skb', arguments: 2, reads: 'probe_read' },
      { name: 'rtnetlink' },
      { name: 'tp_btf/sched_process_exec' },
      { name: 'tp_btf/fib_table_lookup', on_demand: true },
    ]);
  });

  test('ends with an account of every drop', async () => {
    const addon = new FakeAddon();
    const own = { netns: 4_026_531_840, netnsCookie: 5n, pid: 1, path: '/proc/1/ns/net' };
    addon.netns = [{ ...own, reversePathFilter: 10n }];
    const { events } = await traceLines([makeDrop({ count: 1n }), makeDrop({ count: 4n })], {
      addon,
      meanwhile: ({ tracer }) => {
        addon.netns = [{ ...own, reversePathFilter: 17n }];
        tracer.counters = { ...tracer.counters, seen: 9n, matched: 7n, lost: 2n };
        tracer.rows = [
          { netns: own.netns, netnsCookie: 5n, reason: 16, seen: 7n, matched: 7n, lost: 2n },
          { netns: own.netns, netnsCookie: 5n, reason: 3, seen: 2n, matched: 0n, lost: 0n },
        ];
      },
    });
    const stop = events.at(-1);
    expect(stop).toMatchObject({
      kind: 'stop',
      why: 'duration',
      totals: { seen: 9, matched: 7, emitted: 5, events: 2, lost: 2, discarded: 0, malformed: 0 },
      reasons: [
        { reason: 'IP_RPFILTER', seen: 7, matched: 7, lost: 2 },
        { reason: 'NO_SOCKET', seen: 2, matched: 0, lost: 0 },
      ],
      namespaces: [{ netns: own.netns, seen: 9, matched: 7, lost: 2 }],
      conservation: { holds: true, difference: 0 },
      reconciled: true,
      netns: [{ netns: own.netns, kernel: 7, traced: 7, difference: 0, reconciled: true }],
    });
    expect(stop.elapsed_ms).toBeGreaterThanOrEqual(0);
  });

  test('a drop that went nowhere breaks the law, and is told', async () => {
    const { events } = await traceLines([makeDrop()], {
      meanwhile: ({ tracer }) => {
        tracer.counters = { ...tracer.counters, seen: 2n, matched: 2n };
      },
    });
    expect(events.at(-1)).toMatchObject({ conservation: { holds: false, difference: 1 }, reconciled: false });
  });

  test('drops that the totals had no place for leave the comparison open', async () => {
    const addon = new FakeAddon();
    const own = { netns: 4_026_531_840, netnsCookie: 5n, pid: 1, path: '/proc/1/ns/net' };
    addon.netns = [{ ...own, reversePathFilter: 10n }];
    const { events } = await traceLines([makeDrop({ count: 7n })], {
      addon,
      meanwhile: ({ tracer }) => {
        addon.netns = [{ ...own, reversePathFilter: 15n }];
        tracer.counters = { ...tracer.counters, seen: 7n, matched: 7n };
        tracer.rows = [
          { netns: own.netns, netnsCookie: 5n, reason: 16, seen: 2n, matched: 2n, lost: 0n },
          { netns: 0, netnsCookie: 0n, reason: 0, seen: 5n, matched: 5n, lost: 0n },
        ];
      },
    });
    expect(events.at(-1)).toMatchObject({
      conservation: { holds: true },
      reconciled: null,
      netns: [{ kernel: 5, traced: 2, difference: -3, reconciled: null }],
    });
  });

  test('without a reason to compare by there is no verdict', async () => {
    const addon = new FakeAddon();
    addon.names = new Map();
    const { events } = await traceLines([], { addon });
    expect(events.at(-1)).toMatchObject({ reconciled: null, reconciled_unknown: expect.any(String) });
  });

  test('emits as many events as asked for and counts the rest', async () => {
    let reached = 0;
    const drops = [1n, 2n, 3n, 4n].map((count) => makeDrop({ count }));
    const { events } = await traceLines(drops, { limit: 2, onLimit: () => reached++ });
    expect(events.map(({ kind }) => kind)).toEqual(['start', 'drop', 'drop', 'stop']);
    expect(events.at(-1).totals).toMatchObject({ events: 2, emitted: 3, discarded: 7 });
    expect(reached).toBe(1);
  });

  test('counts what it could not read', async () => {
    const broken = makeDrop();
    new Uint32Array(broken.buffer)[1] = 99;
    const { events } = await traceLines([broken, makeDrop()]);
    expect(events.at(-1).totals).toMatchObject({ events: 1, malformed: 1 });
  });

  test('what is known of the devices is used from then on', async () => {
    const own = (await traceLines([])).events[0].netns;
    const { events } = await traceLines([
      makeDrop({ netns: own }),
      makeLink({ ifindex: 12, name: 'renamed' }),
      makeDrop({ netns: own }),
    ]);
    expect(events[1].device).not.toHaveProperty('current_name');
    expect(events[2].device).toMatchObject({ name: 'lxcabcd', current_name: 'renamed' });
  });

  test('leaves nothing attached', async () => {
    const { addon } = await traceLines([makeDrop()]);
    expect(addon.tracer).toMatchObject({ isAttached: false, isClosed: true });
    expect(addon.tracer.out.size).toBe(0);
  });
});

describe('a sink that is full', () => {
  test('holds the batches back until it takes more, and loses nothing', async () => {
    const addon = new FakeAddon();
    const sink = new SlowSink(3);
    const session = open(addon, sink);
    session.attach();
    session.announce();
    addon.tracer.deliver(makeBatch([1, 2, 3, 4].map((srcPort) => makeDrop({ srcPort, reason: 3 }))));
    addon.tracer.deliver(makeBatch([5, 6].map((srcPort) => makeDrop({ srcPort, reason: 3 }))));
    expect(sink.ports).toEqual([1, 2]);
    expect(addon.tracer.out.size).toBe(2);
    sink.take(3);
    expect(sink.ports).toEqual([1, 2, 3, 4, 5]);
    expect(addon.tracer.out.size).toBe(1);
    const stopped = session.stop({ why: 'duration' });
    sink.take(10);
    await stopped;
    expect(sink.ports).toEqual([1, 2, 3, 4, 5, 6]);
    expect(sink.kinds).toEqual(['start', 'stop']);
  });

  test('does not keep a trace from being abandoned', async () => {
    const addon = new FakeAddon();
    const sink = new SlowSink(2);
    const session = open(addon, sink);
    session.attach();
    session.announce();
    addon.tracer.deliver(makeBatch(Array(3).fill(makeDrop({ reason: 3 }))));
    addon.tracer.counters = { ...addon.tracer.counters, seen: 3n, matched: 3n };
    session.stop({ why: 'signal', signal: 'SIGTERM' });
    const stop = await session.abandon({ why: 'signal', signal: 'SIGTERM' });
    expect(stop).toMatchObject({ totals: { matched: 3, emitted: 1 }, conservation: { difference: 2 } });
    expect(addon.tracer).toMatchObject({ isAttached: false, isClosed: true });
  });
});

test('a drop after a change of routes carries the route that there is then', async () => {
  const addon = new FakeAddon();
  const found = { type: 1, table: 254, hopCount: 1 };
  addon.routes.set('10.244.3.136', { ...found, device: 'cilium_host', ifindex: 4, hops: [4] });
  const { events } = await traceLines([makeDrop()], {
    addon,
    config: { every: true },
    meanwhile: ({ tracer, routes }) => {
      routes.set('10.244.3.136', { ...found, device: 'eth1', ifindex: 9, hops: [9] });
      tracer.deliver(makeBatch([makeRouteChange({ netns: 7 }), makeDrop()]));
      tracer.deliver(makeBatch([makeRouteChange(), makeDrop()]));
    },
  });
  const devices = events.flatMap(({ kind, rpf }) => (kind === 'drop' ? [rpf?.reverse_route?.device] : []));
  expect(devices).toEqual(['cilium_host', 'cilium_host', 'eth1']);
});

test('namespaces that drops come from are listened to, as long as they are there', async () => {
  const addon = new FakeAddon();
  const gone = makeRouteChange({ netns: 4_026_531_840, what: ROUTE_CHANGED.CHANGED_UNWATCHED });
  const heard: number[][] = [];
  await traceLines([makeDrop({ netns: 77 }), makeDrop({ reason: 3, rpFilterAll: 0, netns: 78 })], {
    addon,
    config: { netns: [77, 4_026_531_840] },
    meanwhile: ({ tracer }) => {
      heard.push([...tracer.watched]);
      tracer.watched.clear();
      tracer.deliver(makeBatch([gone, makeDrop({ srcPort: 9 })]));
      heard.push([...tracer.watched]);
    },
  });
  expect(heard).toEqual([[77, 4_026_531_840], [4_026_531_840]]);
});

test('a capture that fails is told, and the stop event says why', async () => {
  const addon = new FakeAddon();
  const failures: string[] = [];
  const { events } = await traceLines([makeDrop()], {
    addon,
    onError: (error) => failures.push(error.message),
    cause: { why: 'error', error: 'reading from the kernel failed' },
    meanwhile: ({ tracer }) => tracer.fail(new Error('reading from the kernel failed')),
  });
  expect(failures).toEqual(['reading from the kernel failed']);
  expect(events.at(-1)).toMatchObject({ why: 'error', error: 'reading from the kernel failed' });
});

function open(addon: FakeAddon, sink: Sink): Session {
  return new Session(addon, { config: {}, filters: {}, node: 'node-1', makeSink: () => sink });
}

/** Takes a number of events, then no more until take(). */
class SlowSink implements Sink {
  onReady: () => void = () => undefined;
  readonly ports: number[] = [];
  readonly kinds: string[] = [];
  #room: number;

  constructor(room: number) {
    this.#room = room;
  }

  get ready(): boolean {
    return this.#room > 0;
  }

  take(count: number): void {
    this.#room = count;
    this.onReady();
  }

  drop(drop: { srcPort: number }): void {
    this.#room--;
    this.ports.push(drop.srcPort);
  }

  event(event: { kind: string }): void {
    this.#room--;
    this.kinds.push(event.kind);
  }

  flush(): void {}
  forgetFlows(): void {}
  forgetContexts(): void {}
  async end(): Promise<void> {}
}
