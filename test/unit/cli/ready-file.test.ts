import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ReadyFile } from '../../../src/cli/ready-file.js';
import { temporaryDirectory } from '../../fixtures/directory.js';

test('exists from write() to remove(), and only whole', () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'ready');
  const file = new ReadyFile(path);
  file.write();
  expect(readdirSync(directory)).toEqual(['ready']);
  expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({
    pid: process.pid,
    attached_ms: expect.any(Number),
  });
  file.remove();
  expect(existsSync(path)).toBe(false);
  file.remove();
});

test('one that was left over is removed at the start', () => {
  const path = join(temporaryDirectory(), 'ready');
  writeFileSync(path, 'stale');
  new ReadyFile(path);
  expect(existsSync(path)).toBe(false);
});

test('a place that cannot be written is an error at once, and names it', () => {
  const path = join(temporaryDirectory(), 'gone', 'ready');
  expect(() => new ReadyFile(path)).toThrow(`cannot write the ready file ${path}: ENOENT`);
});
