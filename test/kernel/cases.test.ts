import { describe, expect, it } from 'vitest';
import { CASES } from '../../src/lab/cases.js';
import { judge } from '../../src/lab/judge.js';
import { provoke } from '../../src/lab/provoke.js';
import { firstMissing } from '../../src/lab/run.js';
import { accountOf, inLab, locate, runTrace, useLab } from './support/lab.js';

const PACKETS = 7;

describe('what the lab provokes is what the tracer reports, and no more', () => {
  const lab = useLab();

  it.for(CASES)('$name', async (labCase, { skip }) => {
    const lack = await firstMissing(lab, labCase);
    skip(lack !== undefined, lack);
    const traced = await runTrace(inLab(lab), () => provoke(lab, labCase, PACKETS));

    const drops = locate(lab, traced.drops);
    expect(judge(labCase, PACKETS, traced.result, drops, traced.start.hooks)).toEqual([]);
    const refused = (labCase.reversePathFilter ?? 0) * PACKETS;
    expect(accountOf(traced.stop, lab.inode('node'))?.traced ?? 0).toBe(refused);
    expect(traced.stop.conservation).toEqual({ holds: true, difference: 0 });
  });
});
