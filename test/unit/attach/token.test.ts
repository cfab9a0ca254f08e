import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tokenReader } from '../../../src/attach/token.js';
import { temporaryDirectory } from '../../fixtures/directory.js';

test('a token is read anew each time: files of tokens are renewed', () => {
  const file = join(temporaryDirectory(), 'token');
  writeFileSync(file, 'first-token\n');
  const token = tokenReader({ file, environment: undefined });
  expect(token()).toBe('first-token');
  writeFileSync(file, 'second-token\n');
  expect(token()).toBe('second-token');
});

test('none is none', () => {
  expect(tokenReader({ file: undefined, environment: undefined })()).toBeUndefined();
});

test.each(['', 'two words', 'line\nbreak', 'schön-und-gut-0123'])(
  '%j is refused, and not shown',
  (environment) => {
    expect(() => tokenReader({ file: undefined, environment })).toThrow(
      /^the token is empty, or such as no header can carry$/,
    );
  },
);

test('a file that is not there is told at once', () => {
  expect(() => tokenReader({ file: '/nowhere/token', environment: undefined })).toThrow(
    'cannot read /nowhere/token',
  );
});
