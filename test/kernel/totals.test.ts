import { expect, it } from 'vitest';
import { send } from '../../src/lab/sender.js';
import { rpFilter } from '../../src/lab/steps.js';
import { ADDRESS } from '../../src/lab/topology.js';
import { addon, dropsIn } from './support/addon.js';
import { useLab } from './support/lab.js';

const lab = useLab();

/** Namespaces come and go, places do not: as after days on a node with many short-lived pods. */
it.each([false, true])(
  'counts each reason to the last drop when namespaces find no place of their own (legacy: %s)',
  async (legacy) => {
    const tracer = new addon.Tracer({ legacy, totalPairs: 1, netns: [lab.inode('node')] });
    const told = new Map<number, number>();
    tracer.attach((_error, slot, bytes) => {
      for (const { reason, count } of dropsIn(tracer.buffers[slot] as ArrayBuffer, bytes))
        told.set(reason, (told.get(reason) ?? 0) + count);
      tracer.release(slot);
    });
    try {
      await lab.inside('node', rpFilter(1).run);
      const unreturnable = { from: 'pod', kind: 'udp', src: ADDRESS.pod, dst: ADDRESS.world } as const;
      const multicast = { from: 'world', kind: 'udp', src: '224.0.0.99', dst: ADDRESS.node } as const;
      await send(lab, unreturnable, { count: 7000 });
      await send(lab, multicast, { count: 500 });
      await tracer.detach();

      const rows = tracer.totals();
      expect(rows.filter(({ netns }) => netns !== 0).length).toBeLessThanOrEqual(1);
      const counted = new Map<number, number>();
      for (const { reason, matched } of rows)
        counted.set(reason, (counted.get(reason) ?? 0) + Number(matched));
      expect([...told].sort()).toEqual([...counted].filter(([, matched]) => matched > 0).sort());
      expect([...told.values()].sort()).toEqual([500, 7000]);
    } finally {
      await tracer.close();
    }
  },
);

it('has no more pairs than places', () => {
  expect(() => new addon.Tracer({ totalPairs: 3840 })).toThrow('total_pairs 3840 is more than 3839');
});
