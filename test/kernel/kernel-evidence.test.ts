import { describe, expect, it } from 'vitest';
import { CASES } from '../../src/lab/cases.js';
import { withSteps } from '../../src/lab/provoke.js';
import { firstMissing } from '../../src/lab/run.js';
import { send } from '../../src/lab/sender.js';
import { rpFilter } from '../../src/lab/steps.js';
import { ADDRESS } from '../../src/lab/topology.js';
import { Witness } from '../../src/lab/witness.js';
import { openTracer } from '../../src/tracer.js';
import { useLab } from './support/lab.js';

const byFilter = CASES.filter(({ expect }) => expect.some(({ reasons }) => reasons.includes('IP_RPFILTER')));

describe('the route back', () => {
  const lab = useLab();

  it.for(byFilter)(
    'is asked for after the first drop, and seen in the kernel for the next: $name',
    async (labCase, { skip }) => {
      const lack = await firstMissing(lab, labCase);
      skip(lack !== undefined, lack);
      await using witness = await Witness.open(lab);
      const refusals = async () =>
        (await witness.drops()).flatMap(({ place, event }) =>
          place === 'node' && event.reason === 'IP_RPFILTER' ? [event.rpf?.reverse_route] : [],
        );
      await withSteps(lab, labCase.setup, async () => {
        await send(lab, labCase.provoke, { count: 1 });
        const [asked] = await refusals();
        await send(lab, labCase.provoke, { count: 3 });
        const seen = await refusals();

        expect(asked?.evidence).toBe('replay');
        expect(seen.length).toBeGreaterThan(0);
        for (const route of seen) {
          expect(route).toMatchObject({ evidence: 'kernel' });
          expect({ ...route, evidence: 'replay' }).toEqual({
            ...asked,
            certain: route?.certain,
            uncertain: route?.uncertain,
          });
        }
      });
    },
  );

  it('is seen for flows whose drops are counted together, too', async () => {
    const netns = [lab.path('node')];
    await using tracer = await openTracer({ netns, intervalMs: 100 });
    await withSteps(lab, [rpFilter(1)], async () => {
      const again = () =>
        send(lab, { kind: 'udp', from: 'pod', src: ADDRESS.pod, dst: ADDRESS.world }, { count: 2 });
      await again();
      for await (const event of tracer) {
        if (event.kind !== 'drop' || event.reason !== 'IP_RPFILTER') continue;
        if (event.aggregate === 'flow' && event.rpf?.reverse_route?.evidence === 'kernel') break;
        await again();
      }
    });
  });
});
