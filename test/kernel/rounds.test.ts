import { readdirSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test, vi } from 'vitest';
import { openTracer } from '../../src/index.js';
import { bpfObjectsOf, stillThere } from '../process/support/bpf-objects.js';
import { ClosedPort } from './support/addon.js';

const ROUNDS = 200;
/** Until then caches and the heap find their size. */
const WARM_UP = 60;
/** What malloc() and the collector leave lying about came to 10 MiB; the smallest thing of a round that has a size is a ring of 2 MiB. */
const MAX_GROWTH_BYTES = 32 << 20;

test('attached and detached 200 times, it leaves no program, map, link, descriptor, thread or byte', async () => {
  const port = await ClosedPort.find();
  const objects = new Set<string>();
  const start = inUse();
  let warm = start;
  for (let round = 0; round < ROUNDS; round++) {
    if (round === WARM_UP) warm = await settled(start);
    await using tracer = await openTracer({ expression: port.expression });
    for (const object of bpfObjectsOf(process.pid)) objects.add(object);
    await port.drop(1);
    tracer.stop();
    let drops = 0;
    for await (const event of tracer) drops += event.kind === 'drop' ? event.count : 0;
    expect(drops).toBe(1);
  }
  const end = await settled(start);

  // Three programs at least, ten maps and three links of each round, none of them the one of another.
  expect(objects.size).toBeGreaterThan(ROUNDS * 16);
  await vi.waitFor(() => expect(stillThere([...objects])).toEqual([]), { timeout: 10_000 });
  expect(end.bytes - warm.bytes).toBeLessThan(MAX_GROWTH_BYTES);
}, 300_000);

interface InUse {
  readonly descriptors: number;
  readonly threads: number;
  readonly bytes: number;
}

/** When what is closed is gone, and only what is reachable is left. */
async function settled({ descriptors, threads }: InUse): Promise<InUse> {
  await vi.waitFor(() => expect(inUse()).toMatchObject({ descriptors, threads }), { timeout: 10_000 });
  return inUse();
}

function inUse(): InUse {
  collect();
  return {
    descriptors: readdirSync('/proc/self/fd').length,
    threads: readdirSync('/proc/self/task').length,
    bytes: process.memoryUsage().rss,
  };
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
