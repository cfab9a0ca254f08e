import { expect, test } from 'vitest';
import type { TraceEvent } from '../../../../src/events.js';
import { factsOfEvent } from '../../../../src/serve/history/facts.js';
import { selectionOf } from '../../../../src/serve/readers/selection.js';
import { aDrop, aStop } from '../../../fixtures/journal.js';

const lost: TraceEvent = {
  ...{ v: 1, kind: 'lost', time: '2026-11-22T09:49:06.000000001Z', node: 'node-1', where: 'ring', count: 3 },
  ...{ reason: 'NO_SOCKET', netns: 8 },
};
const described = { reasons: ['IP_RPFILTER'], devices: ['lxcabcd'], netns: [7] };

test('lost and stop come whatever is chosen of the drops', () => {
  const selection = selectionOf({ described, pods: undefined }, []);
  const wanted = [lost, aStop(), aDrop(), aDrop({ reason: 'NO_SOCKET' })].map((one) =>
    selection?.(factsOfEvent(one)),
  );
  expect(wanted).toEqual([true, true, true, false]);
});

test('unless the kinds leave them out', () => {
  const selection = selectionOf({ described: {}, pods: undefined }, ['drop']);
  expect([lost, aStop(), aDrop()].map((one) => selection?.(factsOfEvent(one)))).toEqual([false, false, true]);
});
