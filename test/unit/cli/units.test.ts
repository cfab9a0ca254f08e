import { describe, expect, test } from 'vitest';
import { parseDuration, parseInteger, parseSize } from '../../../src/cli/units.js';

describe('parseDuration', () => {
  test.each([
    ['500ms', 500],
    ['10s', 10_000],
    ['10', 10_000],
    ['1.5s', 1500],
    ['2m', 120_000],
    ['1h', 3_600_000],
  ])('%s is %i ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test.each(['', 's', '10x', '-1s', '0s', '1e3s', '10 s', '999h'])('%j is none', (text) => {
    expect(() => parseDuration(text)).toThrow();
  });
});

describe('parseSize', () => {
  test.each([
    ['4096', 4096],
    ['64k', 65_536],
    ['64K', 65_536],
    ['1M', 1_048_576],
    ['2MiB', 2_097_152],
    ['1G', 1_073_741_824],
  ])('%s is %i bytes', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  test.each(['', 'M', '1.5M', '-1', '0', '1T', '99999999999999999G'])('%j is none', (text) => {
    expect(() => parseSize(text)).toThrow();
  });
});

describe('parseInteger', () => {
  test('takes whole numbers within its bounds', () => {
    expect(parseInteger(1, 10)('10')).toBe(10);
  });

  test.each(['', '0', '11', '1.5', '-1', '0x5', '5 '])('%j is none', (text) => {
    expect(() => parseInteger(1, 10)(text)).toThrow('It is a whole number from 1 to 10.');
  });

  test('says so where there is no upper bound', () => {
    expect(() => parseInteger(1)('x')).toThrow('It is a whole number from 1 on.');
  });
});
