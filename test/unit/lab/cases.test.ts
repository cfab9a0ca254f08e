import { describe, expect, it } from 'vitest';
import { CASES, findCase } from '../../../src/lab/cases.js';

describe('the cases of the lab', () => {
  const names = CASES.map(({ name }) => name);

  it('have names of their own, fit for a command line', () => {
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
    expect(names.filter((name) => !/^[a-z][a-z0-9-]*$/.test(name))).toEqual([]);
    expect(names.map((name) => findCase(name)?.name)).toEqual(names);
  });

  it('take back everything that they change', () => {
    const steps = CASES.flatMap(({ setup }) => setup);
    expect(steps.filter(({ run, undo }) => run.trim() === '' || undo.trim() === '')).toEqual([]);
  });

  it('say what gets through where nothing is dropped', () => {
    const silent = CASES.filter(({ expect: drops, receive }) => drops.length === 0 && !receive);
    expect(silent).toEqual([]);
  });

  it('expect the counter of the kernel to rise with each IP_RPFILTER', () => {
    const counted = CASES.map(({ name, expect: drops, reversePathFilter = 0 }) => ({
      name,
      reversePathFilter,
      drops: drops
        .filter(({ reasons }) => reasons.includes('IP_RPFILTER'))
        .reduce((sum, { perPacket = 1 }) => sum + perPacket, 0),
    }));
    expect(counted.filter(({ reversePathFilter, drops }) => reversePathFilter !== drops)).toEqual([]);
  });
});
