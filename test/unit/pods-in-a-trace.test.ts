import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Session } from '../../src/session.js';
import { NdjsonSink, PREPARED_BYTES } from '../../src/sink/ndjson.js';
import { Output } from '../../src/sink/output.js';
import { FakeAddon } from '../fixtures/addon.js';
import { makeBatch, makeDrop, makeLink } from '../fixtures/batch.js';
import { temporaryDirectory } from '../fixtures/directory.js';
import { FakeSource, mssql } from '../fixtures/source.js';

describe('pods in a trace', () => {
  test('what is learned late comes into later drops of the flow', async () => {
    const { drop, source, end } = open();
    drop();
    source.observer.pod(mssql());
    drop();
    source.observer.pod(mssql({ uid: 'u' }));
    drop();
    const [first, second, third] = await end();
    expect(first).not.toHaveProperty('pod');
    expect(first.pod_unknown).toContain('lxcabcd');
    expect(second.pod).toMatchObject({ namespace: 'qfusion-admin', name: 'mssql-0', direction: 'from_pod' });
    expect(second).not.toHaveProperty('pod_unknown');
    expect(third.pod).toMatchObject({ name: 'mssql-0', uid: 'u' });
  });

  test('a flow that goes on after its address went to another pod is that one’s', async () => {
    const { drop, source, end } = open();
    source.observer.pod(mssql());
    drop();
    source.observer.podGone('1234');
    source.observer.pod(mssql({ key: '2', name: 'next-0', createdMs: Date.now() }));
    drop(BigInt(Date.now() + 5000) * 1_000_000n);
    const [first, second] = await end();
    expect(first.pod).toMatchObject({ name: 'mssql-0' });
    expect(second.pod).toMatchObject({ name: 'next-0' });
  });

  test('an unknown pod’s device has the sources look again, but not for each drop', async () => {
    const { drop, source, end } = open();
    for (let port = 1; port < 100; port++) drop(undefined, { srcPort: port });
    await end();
    expect(source.nudges).toBe(1);
  });

  test('pods that come and go do not make lines be prepared again', async () => {
    const { drop, source, session, addon, end } = open();
    source.observer.pod(mssql());
    drop();
    const { length } = addon.asked;
    for (let i = 0; i < 200; i++) {
      source.observer.pod(mssql({ key: `x${i}`, name: `x${i}`, interfaces: [{ ips: [`10.1.${i}.1`] }] }));
      addon.tracer.deliver(makeBatch([makeLink({ ifindex: 1000 + i, name: `lxc${i}` })]));
      drop();
    }
    expect(addon.asked.length).toBe(length);
    expect(session.pipeline.counts.events).toBe(201);
    const drops = await end();
    expect(drops.every(({ pod }) => pod.name === 'mssql-0')).toBe(true);
  });

  test('the start and the end say how the sources are; at the end they are stopped', async () => {
    const { source, end, events } = open();
    await end();
    const [start] = events();
    expect(start.sources).toEqual([
      { name: 'cilium', state: 'ok', at: '/run/fake.sock', age_ms: 1, pods: 0 },
    ]);
    expect(events().at(-1).sources).toEqual(start.sources);
    expect(source.isStopped).toBe(true);
  });

  test('a source that never ends to stop does not keep the trace from its end', async () => {
    const { source, end } = open();
    source.stop = () => new Promise(() => undefined);
    await end();
  });
});

function open() {
  const addon = new FakeAddon();
  const source = new FakeSource('cilium');
  const file = join(temporaryDirectory(), 'events.ndjson');
  const output = new Output({ file, prepared: PREPARED_BYTES });
  const session = new Session(addon, {
    config: {},
    filters: {},
    node: 'node-1',
    root: `${temporaryDirectory()}/`,
    makeSink: (clock) => new NdjsonSink(output, clock, 'node-1'),
    // Its clock stands still: however slow the machine, all happens at once.
    pods: { sources: [source], now: () => 0 },
  });
  session.attach();
  session.announce();
  // biome-ignore lint/suspicious/noExplicitAny: tests look at single members of events
  const events = (): any[] =>
    readFileSync(file, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
  return {
    addon,
    source,
    session,
    events,
    /** One drop, at a time of the wall clock in nanoseconds. */
    drop: (timeNs = BigInt(Date.now()) * 1_000_000n, fields = {}): void => {
      addon.tracer.deliver(makeBatch([makeDrop({ timeNs, ...fields })], 0n));
    },
    end: async () => {
      await session.stop({ why: 'duration' });
      return events().filter(({ kind }) => kind === 'drop');
    },
  };
}
