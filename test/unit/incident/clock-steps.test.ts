import { expect, it } from 'vitest';
import type { IncidentEvent } from '../../../src/events.js';
import { makeBatch, makeDrop, makeSysctl, WALL_OFFSET_NS } from '../../fixtures/batch.js';
import { traceLines } from '../../fixtures/pipeline.js';

const SECOND = 1_000_000_000n;

/** The write and the first drop, then the clock is set, then another drop. */
it.each([3n, -3n, 8760n])(
  'an incident stays in one piece when the clock is set by %d hours',
  async (hours) => {
    const { events } = await traceLines([], {
      incidents: true,
      meanwhile: ({ tracer }) => {
        const before = [makeSysctl({ timeNs: 5n * SECOND }), makeDrop({ timeNs: 6n * SECOND })];
        tracer.deliver(makeBatch(before, WALL_OFFSET_NS, 7n * SECOND));
        const offset = WALL_OFFSET_NS + hours * 3600n * SECOND;
        tracer.deliver(makeBatch([makeDrop({ timeNs: 8n * SECOND })], offset, 9n * SECOND));
      },
    });
    const incidents: IncidentEvent[] = events.filter(({ kind }) => kind === 'incident');
    const [opened] = incidents;
    const last = incidents.at(-1);
    expect(opened?.cause.kind).toBe('sysctl_change');
    expect(last).toMatchObject({ id: 'i-1', drops: 2, seconds_to_first_drop: 1 });
    expect(last?.cause).toEqual(opened?.cause);
    expect(last?.first_drop).toBe(opened?.first_drop);
    expect(msOf(last?.first_drop) - msOf(last?.cause.change?.time)).toBe(1000);
    expect(msOf(last?.last_drop) - msOf(last?.first_drop)).toBe(2000 + Number(hours) * 3_600_000);
    const drops = events.filter(({ kind }) => kind === 'drop');
    expect(drops.map(({ incident }) => incident)).toEqual(['i-1', 'i-1']);
  },
);

function msOf(time: string | undefined): number {
  return Date.parse(time ?? '');
}
