import { expect, test } from 'vitest';
import { pack, packedBytes, parseLine, type Received, unpack } from '../../../src/attach/received.js';
import { aDrop } from '../../fixtures/journal.js';

test('what was packed is as it was', () => {
  const known = receivedFrom({ ...aDrop(), event_id: 'mwsegikr-7' });
  expect(unpack(pack(known))).toEqual(known);
  expect(known.event).toBeDefined();
});

test('an event that this version does not know is none either when it was packed', () => {
  const newer = receivedFrom({ v: 1, kind: 'news', time: aDrop().time, event_id: 'mwsegikr-8' });
  expect(unpack(pack(newer))).toEqual({ ...newer, event: undefined });
});

test('a text with letters beyond Latin-1 takes twice as much', () => {
  const plain = packedBytes({ text: 'a'.repeat(1000), isKnown: true });
  const wide = packedBytes({ text: `${'a'.repeat(999)}ő`, isKnown: true });
  expect(wide - plain).toBe(1000);
});

function receivedFrom(event: object): Received {
  const line = parseLine(JSON.stringify(event));
  if (line.kind !== 'event') throw new Error('this is no event');
  return line.received;
}
