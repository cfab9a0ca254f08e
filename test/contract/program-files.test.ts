import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const folder = join(import.meta.dirname, '..', '..', 'dist', 'program');

/** The files that node reads before it runs the first line of this one, itself included. */
function filesOf(name: string, seen = new Set<string>()): Set<string> {
  if (seen.has(name)) return seen;
  seen.add(name);
  const text = readFileSync(join(folder, name), 'utf8');
  for (const [, file] of text.matchAll(/^import\b.*?"\.\/([^"]+)";$/gm)) filesOf(file as string, seen);
  return seen;
}

/** What stands before the first hyphen: the rest follows from what is in the file. */
const titles = (names: Iterable<string>) => [...names].map((name) => name.replace(/-.*/, '')).sort();

test('the kernel is asked to load before what a trace needs besides is read: rolldown.config.mjs', () => {
  expect(titles(filesOf('rpftrace.js'))).toEqual(['rolldown', 'rpftrace.js', 'start']);
});
