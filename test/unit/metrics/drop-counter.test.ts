import { describe, expect, test } from 'vitest';
import { DropCounter, OTHER } from '../../../src/metrics/drop-counter.js';
import { MAX_FLOWS } from '../../../src/sink/sink.js';
import { countedFlow, dropOf } from '../../fixtures/flow.js';

describe('DropCounter', () => {
  test('adds up by reason, verdict, pod and device', () => {
    const counter = new DropCounter();
    const db = countedFlow({ id: 1, pod: 'db-0', verdict: 'strict_mismatch' });
    counter.count(dropOf(3), db);
    counter.count(dropOf(4), db);
    counter.count(dropOf(5), countedFlow({ id: 2, pod: 'db-0', verdict: 'strict_mismatch' }));
    counter.count(dropOf(6), countedFlow({ id: 3, reason: 'NO_SOCKET' }));
    expect(counter.look().map(({ labels, drops }) => [Object.values(labels), drops])).toEqual([
      [['IP_RPFILTER', 'strict_mismatch', 'shop', 'db-0', 'lxc1'], 12],
      [['NO_SOCKET', '', '', '', 'lxc1'], 6],
    ]);
  });

  test('counts for the pod that the flow has now, and for the new flow when ids are given out anew', () => {
    const counter = new DropCounter();
    const flow = countedFlow({ id: 1 });
    counter.count(dropOf(1), flow);
    counter.count(dropOf(2), { ...flow, attribution: countedFlow({ pod: 'db-0' }).attribution });
    counter.forgetFlows();
    counter.count(dropOf(4), countedFlow({ id: 1, reason: 'NO_SOCKET' }));
    expect(counter.look().map(({ labels, drops }) => [labels.reason, labels.pod, drops])).toEqual([
      ['IP_RPFILTER', '', 1],
      ['IP_RPFILTER', 'db-0', 2],
      ['NO_SOCKET', '', 4],
    ]);
  });

  test('with too many series it folds new ones, says how many drops that are, and loses none', () => {
    const counter = new DropCounter({ maxSeries: 10 });
    for (let id = 0; id < 100; id++)
      counter.count(dropOf(1), countedFlow({ id, pod: `p${id}`, verdict: 'strict_mismatch' }));
    counter.count(dropOf(7), countedFlow({ id: 100, pod: 'p100', reason: 'NO_SOCKET' }));
    counter.count(dropOf(1), countedFlow({ id: 3, pod: 'p3', verdict: 'strict_mismatch' }));
    const all = counter.look();
    expect(all).toHaveLength(12);
    expect(all.reduce((sum, { drops }) => sum + drops, 0)).toBe(108);
    expect(all.find(({ labels }) => labels.pod === 'p3')?.drops).toBe(2);
    expect(counter.folded).toBe(97);
    expect(all.at(-2)).toMatchObject({
      labels: {
        reason: 'IP_RPFILTER',
        verdict: 'strict_mismatch',
        namespace: OTHER,
        pod: OTHER,
        device: OTHER,
      },
      drops: 90,
    });
  });

  test('series that have not moved for an hour make room, and begin at 0 when they come back', () => {
    let nowMs = 0;
    const counter = new DropCounter({ maxSeries: 2, now: () => nowMs });
    const gone = countedFlow({ id: 1, pod: 'gone' });
    const alive = countedFlow({ id: 2, pod: 'alive' });
    counter.count(dropOf(5), gone);
    counter.count(dropOf(1), alive);
    counter.look();
    nowMs = 3_000_000;
    counter.count(dropOf(1), alive);
    counter.look();
    nowMs = 3_700_000;
    counter.look();
    expect(counter.size).toBe(1);
    counter.count(dropOf(1), gone);
    expect(counter.look().map(({ labels, drops }) => [labels.pod, drops])).toEqual([
      ['alive', 2],
      ['gone', 1],
    ]);
    expect(counter.folded).toBe(0);
  });

  test('flows in any number take bounded memory', () => {
    const counter = new DropCounter({ maxSeries: 5 });
    for (let round = 0; round < 10; round++) {
      for (let id = 0; id < MAX_FLOWS; id++)
        counter.count(dropOf(1), countedFlow({ id, pod: `p${round * id}` }));
      counter.forgetFlows();
    }
    expect(counter.look()).toHaveLength(6);
  });
});
