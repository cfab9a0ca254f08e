import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../../src/root.js';

/** The lines of a document that begin with these words; those that go on end in a backslash. */
export function documentedLine(document: string, words: string): string {
  const [line] =
    new RegExp(`^ {4}${words}(.*\\\\\\n)*.*$`, 'm').exec(readFileSync(join(ROOT, document), 'utf8')) ?? [];
  if (line === undefined) throw new Error(`${document} has no line that begins with ${words}`);
  return line;
}
