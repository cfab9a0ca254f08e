import { expect, it } from 'vitest';
import { DROP, HEADER, RECORD_KIND } from '../../src/record/layout.gen.js';
import { addon, ClosedPort } from './support/addon.js';

/** What a record says of its drop: all but the clock and the time that building it took. */
function factsIn(buffer: ArrayBuffer, bytes: number): string[] {
  const batch = Buffer.from(buffer, 0, bytes);
  const facts: string[] = [];
  for (let at = 0; at < bytes; at += batch.readUInt32LE(at)) {
    if (batch.readUInt32LE(at + HEADER.kind) !== RECORD_KIND.RECORD_DROP) continue;
    facts.push(batch.toString('hex', at + DROP.count, at + batch.readUInt32LE(at)));
  }
  return facts;
}

it('reads the same through bpf_rdonly_cast and through bpf_probe_read_kernel', async () => {
  const port = await ClosedPort.find();
  const config = { every: true, snaplen: 64, expression: port.expression };
  const tracers = [new addon.Tracer(config), new addon.Tracer({ ...config, probeRead: true })];
  const seen = tracers.map((tracer) => {
    const facts: string[] = [];
    tracer.attach((_error, slot, bytes) => {
      facts.push(...factsIn(tracer.buffers[slot] as ArrayBuffer, bytes));
      tracer.release(slot);
    });
    return facts;
  });
  expect(tracers.map((tracer) => tracer.stats().probeRead)).toEqual([false, true]);

  await port.drop(20);
  for (const tracer of tracers) await tracer.detach();
  for (const tracer of tracers) await tracer.close();

  expect(seen[0]).toHaveLength(20);
  expect(seen[1]).toEqual(seen[0]);
});
