import { expect, test } from 'vitest';
import { grouped } from '../../src/grouped.js';

test.each([0, 7, 999, 1000, 1_234_567, 9_007_199_254_740_991])('%i is grouped as in English', (value) => {
  expect(grouped(value)).toBe(value.toLocaleString('en-US'));
});
