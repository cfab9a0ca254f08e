import { expect, it } from 'vitest';
import { send } from '../../src/lab/sender.js';
import { rpFilter } from '../../src/lab/steps.js';
import { ADDRESS } from '../../src/lab/topology.js';
import { addon, dropsIn } from './support/addon.js';
import { useLab } from './support/lab.js';

const lab = useLab();

/** The object for kernels up to 5.16, on this one: slots are counted and given up while packets are dropped. */
it.each([
  ['in few flows', 40],
  ['in more flows than there are slots', 5000],
])('counts to the last drop without atomic operations that return a value, %s', async (_words, flows) => {
  const tracer = new addon.Tracer({
    legacy: true,
    intervalMs: 10,
    flowSlots: 1024,
    netns: [lab.inode('node')],
  });
  let counted = 0;
  tracer.attach((_error, slot, bytes) => {
    counted += dropsIn(tracer.buffers[slot] as ArrayBuffer, bytes).reduce((sum, { count }) => sum + count, 0);
    tracer.release(slot);
  });
  try {
    await lab.inside('node', rpFilter(1).run);
    const spoofed = { from: 'pod', kind: 'udp', src: '198.18.0.0', dst: ADDRESS.world } as const;
    for (let round = 0; round < 3; round++)
      await send(lab, { ...spoofed, flows, spread: 'address' }, { count: PACKETS });
    await tracer.detach();
    const { matched, lost } = tracer.stats();
    expect(matched).toBe(BigInt(3 * PACKETS));
    expect(counted + Number(lost)).toBe(3 * PACKETS);
  } finally {
    await tracer.close();
  }
});

it('names kernel text without the kernel’s help', async () => {
  const tracer = new addon.Tracer({ legacy: true });
  const modern = new addon.Tracer({});
  const addresses = new Set<bigint>();
  tracer.attach((_error, slot, bytes) => {
    for (const { location } of dropsIn(tracer.buffers[slot] as ArrayBuffer, bytes)) addresses.add(location);
    tracer.release(slot);
  });
  await send(lab, { from: 'world', kind: 'udp', src: '224.0.0.99', dst: ADDRESS.node }, { count: 3 });
  await tracer.detach();
  expect(addresses.size).toBeGreaterThan(0);
  for (const address of addresses) expect(tracer.symbol(address)).toBe(modern.symbol(address));
  await tracer.close();
  await modern.close();
});

const PACKETS = 50_000;
