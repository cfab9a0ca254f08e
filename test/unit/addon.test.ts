import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadAddon } from '../../src/addon.js';
import type { TracerError } from '../../src/errors.js';
import { LAYOUT_HASH } from '../../src/record/layout.gen.js';
import { temporaryDirectory } from '../fixtures/directory.js';

test('takes the first file that loads', () => {
  const directory = temporaryDirectory();
  const good = moduleFile(
    directory,
    'good.cjs',
    `module.exports = { layoutHash: '${LAYOUT_HASH}', mine: true }`,
  );
  expect(loadAddon([join(directory, 'missing.node'), good])).toMatchObject({ mine: true });
});

test('lists everything that was tried, then what to do', () => {
  const directory = temporaryDirectory();
  const broken = moduleFile(directory, 'broken.cjs', "throw new Error('wrong ELF class')");
  const error = errorOf(() => loadAddon([join(directory, 'missing.node'), broken]));
  expect(error.code).toBe('E_ADDON_MISSING');
  expect(error.message).toContain(`${join(directory, 'missing.node')}: no such file`);
  expect(error.message).toContain(`${broken}: wrong ELF class`);
  expect(error.remedies[0]).toContain('npm run build');
});

test('refuses an addon that was built for another record layout', () => {
  const other = moduleFile(
    temporaryDirectory(),
    'other.cjs',
    "module.exports = { layoutHash: 'feedfeedfeedfeed' }",
  );
  const error = errorOf(() => loadAddon([other]));
  expect(error).toMatchObject({ code: 'E_LAYOUT_MISMATCH' });
  expect(error.message).toContain('feedfeedfeedfeed');
  expect(error.message).toContain(LAYOUT_HASH);
});

test('says so where there is no Linux', () => {
  expect(errorOf(() => loadAddon([], 'darwin'))).toMatchObject({
    code: 'E_NOT_LINUX',
    message: 'rpftrace needs Linux, this is darwin',
  });
});

function moduleFile(directory: string, name: string, text: string): string {
  const file = join(directory, name);
  writeFileSync(file, text);
  return file;
}

function errorOf(action: () => unknown): TracerError {
  try {
    action();
  } catch (error) {
    return error as TracerError;
  }
  throw new Error('nothing was thrown');
}
