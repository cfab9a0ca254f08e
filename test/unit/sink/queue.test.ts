import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import type { LostEvent } from '../../../src/events.js';
import { QueueSink } from '../../../src/sink/queue.js';

describe('QueueSink', () => {
  test('gives the events in their order, then ends', async () => {
    const queue = makeQueue();
    for (let count = 1; count <= 3000; count++) queue.event(lost(count));
    await queue.end();
    expect(await read(queue, 3001)).toEqual([...Array.from({ length: 3000 }, (_, i) => i + 1), undefined]);
  });

  test('gives those that come while it is read', async () => {
    const queue = makeQueue();
    const first = queue.next();
    queue.event(lost(1));
    expect(await first).toMatchObject({ count: 1 });
  });

  test('keeps nothing of what was read, though its reader stays a few events behind', async () => {
    const queue = makeQueue();
    for (let count = 1; count <= 10; count++) queue.event(lost(count));
    const before = heapBytes();
    for (let count = 11; count <= 50_000; count++) {
      queue.event(lost(count));
      await queue.next();
    }
    expect(heapBytes() - before).toBeLessThan(2 << 20); // all of them: 5 MiB
    expect(await queue.next()).toMatchObject({ count: 49_991 });
  });

  test('asks for more when half of it is read', async () => {
    const queue = makeQueue();
    let asked = 0;
    queue.onReady = () => asked++;
    let size = 0;
    while (queue.ready) queue.event(lost(++size));
    await read(queue, size / 2 - 1);
    expect(asked).toBe(0);
    await read(queue, 1);
    expect(asked).toBe(1);
    expect(queue.ready).toBe(true);
  });
});

function makeQueue(): QueueSink {
  return new QueueSink();
}

function lost(count: number): LostEvent {
  return { v: 1, kind: 'lost', time: '', node: 'node-1', where: 'ring', count };
}

async function read(queue: QueueSink, events: number): Promise<(number | undefined)[]> {
  const counts: (number | undefined)[] = [];
  for (let i = 0; i < events; i++) counts.push(((await queue.next()) as LostEvent | undefined)?.count);
  return counts;
}

function heapBytes(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}
