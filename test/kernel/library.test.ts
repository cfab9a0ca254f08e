import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { TraceEvent } from '../../src/events.js';
import { openTracer } from '../../src/index.js';

/** Nobody listens there, and nobody else sends there: the kernel drops what comes with NO_SOCKET. */
const CLOSED_PORT = await closedPort();
const onlyOurs = {
  reasons: ['NO_SOCKET'],
  expression: `udp and dst host 127.0.0.1 and dst port ${CLOSED_PORT}`,
};

describe('openTracer', () => {
  test('gives typed events from start to stop, and ends by its signal with nothing unaccounted', async () => {
    const controller = new AbortController();
    const tracer = await openTracer({ ...onlyOurs, every: true, signal: controller.signal });
    sendTo(CLOSED_PORT, 3);
    const events: TraceEvent[] = [];
    for await (const event of tracer) {
      events.push(event);
      if (events.filter(({ kind }) => kind === 'drop').length === 3) controller.abort();
    }
    expect(events.map(({ kind }) => kind)).toEqual(['start', 'drop', 'drop', 'drop', 'stop']);
    expect(events[1]).toMatchObject({
      kind: 'drop',
      count: 1,
      reason: 'NO_SOCKET',
      packet: { protocol: 'udp', dst: '127.0.0.1', dst_port: CLOSED_PORT },
      device: { name: 'lo', role: 'loopback' },
    });
    expect(events.at(-1)).toMatchObject({
      why: 'aborted',
      totals: { emitted: 3 },
      conservation: { holds: true },
    });
  });

  test('counts the drops of a flow together by default', async () => {
    const tracer = await openTracer({ ...onlyOurs, intervalMs: 50 });
    sendTo(CLOSED_PORT, 10);
    const counts: number[] = [];
    for await (const event of tracer) {
      if (event.kind === 'drop') counts.push(event.count);
      if (counts.reduce((sum, count) => sum + count, 0) === 10) tracer.stop();
    }
    expect(counts[0]).toBe(1);
    expect(counts.length).toBeLessThan(10);
  });

  test('to stop reading closes it; to close it again does nothing', async () => {
    const tracer = await openTracer({ ...onlyOurs });
    for await (const event of tracer) if (event.kind === 'start') break;
    await tracer.close();
    for await (const event of tracer) expect(event.kind).not.toBe('drop');
  });

  test('two at once see the same drops', async () => {
    const tracers = await Promise.all([openTracer(onlyOurs), openTracer(onlyOurs)]);
    sendTo(CLOSED_PORT, 1);
    const drops = await Promise.all(tracers.map(firstDrop));
    expect(drops[0]).toEqual(drops[1]);
  });

  test('wrong options are refused with a code', async () => {
    await expect(openTracer({ reasons: ['NO_SOKCET'] })).rejects.toMatchObject({
      name: 'TracerError',
      code: 'E_UNKNOWN_REASON',
    });
    await expect(openTracer({ signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' });
  });
});

/** From one socket: one flow. */
function sendTo(port: number, count: number): void {
  const socket = createSocket('udp4');
  socket.on('error', () => undefined); // the ICMP errors that come back
  onTestFinished(() => void socket.close());
  for (let index = 0; index < count; index++) socket.send('x', port, '127.0.0.1');
}

async function closedPort(): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  return port;
}

async function firstDrop(tracer: AsyncIterable<TraceEvent>): Promise<object> {
  for await (const event of tracer) {
    if (event.kind === 'drop') return { skb: event.skb, packet: event.packet };
  }
  throw new Error('the stream ended without a drop');
}
