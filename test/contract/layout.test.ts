import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
// @ts-expect-error: a script, without types
import { generateLayout } from '../../scripts/gen-layout.mjs';
import * as layout from '../../src/record/layout.gen.js';

test('layout.gen.ts is what the BTF of the compiled layout says', () => {
  const committed = readFileSync(new URL('../../src/record/layout.gen.ts', import.meta.url), 'utf8');
  expect(committed, 'run: npm run gen').toBe(generateLayout());
});

test('sizes and places are such that the reader may take whole words', () => {
  for (const struct of [layout.DROP, layout.LOST, layout.LINK, layout.BATCH]) expect(struct.size % 8).toBe(0);
  expect(layout.DROP.flow % 4).toBe(0);
  expect(layout.DROP.task + layout.TASK.size).toBe(layout.DROP.flow);
  // The flow's bytes and its detail's lie behind each other up to the end: they are compared as one run.
  expect(layout.DROP.flow + layout.FLOW.size).toBe(layout.DROP.detail);
  expect(layout.DROP.detail + layout.DETAIL.size).toBe(layout.DROP.size);
});
