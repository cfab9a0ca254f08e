import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { TracerError, toTracerError } from '../../src/errors.js';

const root = resolve(import.meta.dirname, '..', '..');

function codesIn(directory: string): string[] {
  const texts = readdirSync(join(root, directory)).map((file) =>
    readFileSync(join(root, directory, file), 'utf8'),
  );
  return texts.flatMap((text) => [...text.matchAll(/"(E_[A-Z_]+)"/g)].map(([, code = '']) => code));
}

it('every error code of the core and the addon is one that the program knows', () => {
  const codes = [...new Set([...codesIn('native/core'), ...codesIn('native/addon')])];
  const known = codes.filter((code) => toTracerError(Object.assign(new Error(''), { code })).code === code);
  expect(codes.length).toBeGreaterThan(5);
  expect(known).toEqual(codes);
  expect(toTracerError(new Error(''))).toBeInstanceOf(TracerError);
});
