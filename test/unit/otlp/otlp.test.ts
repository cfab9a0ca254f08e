import { expect, test } from 'vitest';
import { Otlp } from '../../../src/otlp/otlp.js';
import { Clock } from '../../../src/record/clock.js';
import { incidentOf } from '../../fixtures/event.js';

test('asked to end twice, it tells once what was not taken', async () => {
  const notes: string[] = [];
  const note = (text: string) => notes.push(text);
  const otlp = new Otlp({ url: NOBODY, node: 'n', clock: new Clock(), note });
  otlp.event(incidentOf({}));
  await Promise.all([otlp.end(), otlp.end()]);
  expect(otlp.lost).toBe(1);
  expect(notes).toEqual([
    expect.stringContaining('1 events did not reach the collector'),
    expect.stringContaining('the last counts did not reach the collector'),
  ]);
});

/** tcpmux: nobody listens. */
const NOBODY = 'http://127.0.0.1:1';
