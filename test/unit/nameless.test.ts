import { spawnSync } from 'node:child_process';
import { linkSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { TracerError } from '../../src/errors.js';
import { namelessCopy } from '../../src/nameless.js';
import { temporaryDirectory } from '../fixtures/directory.js';

test('a copy can be read and executed, by what we start too, and nobody else', () => {
  const program = readFileSync('/bin/true');
  const copy = namelessCopy(program, ['/dev/shm']);
  expect(readFileSync(copy).equals(program)).toBe(true);
  expect(statSync(copy).mode & 0o777).toBe(0o700);
  expect(spawnSync('sh', ['-c', copy]).status).toBe(0);
});

test('it has no name, and cannot be given one', () => {
  const directory = temporaryDirectory();
  const copy = namelessCopy(Buffer.from('x'), [directory]);
  expect(readdirSync(directory)).toEqual([]);
  expect(() => linkSync(copy, join(directory, 'name'))).toThrow();
  expect(readdirSync(directory)).toEqual([]);
});

test('folders that cannot hold it are passed over', () => {
  const directory = temporaryDirectory();
  expect(readFileSync(namelessCopy(Buffer.from('x'), ['/proc', directory]), 'utf8')).toBe('x');
});

test('without any it says what was tried', () => {
  let thrown: unknown;
  try {
    namelessCopy(Buffer.from('x'), ['/does/not/exist', '/proc']);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(TracerError);
  expect(thrown).toMatchObject({
    code: 'E_NO_PLACE',
    message: expect.stringMatching(/\n {2}\/does\/not\/exist: .*ENOENT.*\n {2}\/proc: /),
  });
});
