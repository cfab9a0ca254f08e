import { expect, it } from 'vitest';
import { send } from '../../src/lab/sender.js';
import { rpFilter } from '../../src/lab/steps.js';
import { ADDRESS } from '../../src/lab/topology.js';
import { decodeCString } from '../../src/record/decode.js';
import { DETAIL, DROP, FLAGS, HEADER, RECORD_KIND } from '../../src/record/layout.gen.js';
import { addon } from './support/addon.js';
import { withLab } from './support/lab.js';

interface Seen {
  readonly table: number;
  readonly error: number;
  readonly type: number;
  readonly device: string;
}

/** What the drop records of a batch say of the route lookup for their source; undefined where they say nothing. */
function lookupsIn(buffer: ArrayBuffer, bytes: number): (Seen | undefined)[] {
  const batch = Buffer.from(buffer, 0, bytes);
  const seen: (Seen | undefined)[] = [];
  for (let at = 0; at < bytes; at += batch.readUInt32LE(at)) {
    if (batch.readUInt32LE(at + HEADER.kind) !== RECORD_KIND.RECORD_DROP) continue;
    const detail = at + DROP.detail;
    const isSeen = (batch.readUInt32LE(detail + DETAIL.flags) & FLAGS.WITNESS) !== 0;
    seen.push(
      isSeen
        ? {
            table: batch.readUInt32LE(detail + DETAIL.witness_table),
            error: batch.readInt32LE(detail + DETAIL.witness_err),
            type: batch.readUInt8(detail + DETAIL.witness_type),
            device: decodeCString(batch, detail + DETAIL.witness_device, DETAIL.witness_device_length),
          }
        : undefined,
    );
  }
  return seen;
}

it('sees the route that the kernel found for the source, while it is asked to', async () => {
  await withLab(async (lab) => {
    const { in: place, run } = rpFilter(1);
    await lab.inside(place, run);
    const tracer = new addon.Tracer({ every: true, netns: [lab.inode('node')], expression: 'udp port 9' });
    const seen: (Seen | undefined)[] = [];
    expect(() => tracer.witness(true)).not.toThrow();
    tracer.attach((_error, slot, bytes) => {
      seen.push(...lookupsIn(tracer.buffers[slot] as ArrayBuffer, bytes));
      tracer.release(slot);
    });
    const packet = { from: 'pod', kind: 'udp', src: ADDRESS.pod, dst: ADDRESS.world } as const;
    await send(lab, packet, { count: 2 });
    tracer.witness(false);
    await send(lab, packet, { count: 2 });
    await tracer.detach();
    await tracer.close();

    const found = { table: 254, error: 0, type: 1, device: 'cilium_host' };
    expect(seen).toEqual([found, found, undefined, undefined]);
  });
});
