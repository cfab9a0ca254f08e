import { expect, test } from 'vitest';
import { formatEventId, nextEpoch, parseEventId } from '../../../../src/serve/history/event-id.js';

test('an event id is read as it was written', () => {
  expect(parseEventId(formatEventId({ epoch: 'mwsegikr', number: 12 }))).toEqual({
    epoch: 'mwsegikr',
    number: 12,
  });
});

test('number 0 is before all events of a boot', () => {
  expect(parseEventId('mwsegikr-0')).toEqual({ epoch: 'mwsegikr', number: 0 });
});

test.each([
  '',
  'mwsegikr',
  'mwsegikr-',
  'mwsegikr-00',
  'mwsegikr-012',
  'MWSEGIKR-1',
  'mwsegikr-1-2',
  '../etc-1',
])('%j is none', (text) => expect(parseEventId(text)).toBeUndefined());

test('a later boot has a greater epoch, even where the clock was set back', () => {
  const first = nextEpoch(Date.UTC(2026, 10, 22), undefined);
  expect(first).toHaveLength(8);
  expect(nextEpoch(Date.UTC(2026, 10, 22, 0, 0, 1), first) > first).toBe(true);
  const setBack = nextEpoch(Date.UTC(2020, 0, 1), first);
  expect(setBack > first).toBe(true);
});
