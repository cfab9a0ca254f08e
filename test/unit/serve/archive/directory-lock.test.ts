import { expect, test } from 'vitest';
import { DirectoryLock } from '../../../../src/serve/archive/directory-lock.js';
import { temporaryDirectory } from '../../../fixtures/directory.js';

test('a folder that another server has is told', () => {
  const directory = temporaryDirectory();
  const open = () => new DirectoryLock({ addon: { lock: () => false }, directory, note: () => undefined });
  expect(open).toThrow(`another server keeps its history in ${directory}`);
});

test('a file system without locks keeps nobody from starting', () => {
  const notes: string[] = [];
  const lock = () => {
    throw new Error('locking it failed: No locks available');
  };
  const note = (text: string) => notes.push(text);
  new DirectoryLock({ addon: { lock }, directory: temporaryDirectory(), note }).release();
  expect(notes).toEqual([expect.stringContaining('No locks available')]);
});
