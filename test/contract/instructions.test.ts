import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  compilerName,
  countInstructions,
  type InstructionCounts,
  OBJECTS,
  recordedInstructions,
} from '../../scripts/lib/instructions.mjs';

const BUILT = join(import.meta.dirname, '..', '..', 'build', 'Release', 'obj', 'gen', 'bpf');
const recorded = recordedInstructions();

/** Growth that nobody need look at. */
const ALLOWED = 1.1;

/** What was recorded with this compiler; with one that is not, the most with any. */
function limitsOf(object: string): InstructionCounts {
  const own = recorded[compilerName()]?.[object];
  if (own) return own;
  const all = Object.values(recorded).flatMap((objects) => Object.entries(objects[object] ?? {}));
  return all.reduce<InstructionCounts>((most, [name, count]) => {
    most[name] = Math.max(count, most[name] ?? 0);
    return most;
  }, {});
}

describe.each(OBJECTS)('the %s object', (object: string) => {
  it('has no program that has grown without a word: npm run instructions -- --write', () => {
    const counts = countInstructions(join(BUILT, `rpftrace.${object}.bpf.o`));
    const limits = limitsOf(object);
    const grown = Object.entries(counts)
      .filter(([name, count]) => count > (limits[name] ?? 0) * ALLOWED)
      .map(([name, count]) => `${name}: ${count} instructions, recorded ${limits[name] ?? 'none'}`);
    expect(grown).toEqual([]);
    expect(Object.keys(counts)).toContain('rpf_kfree_skb_2');
  });
});
