import { read } from '../../support/chart.js';

/** The lines of a document that begin with these words; those that go on end in a backslash. */
export function documentedLine(document: string, words: string): string {
  const [line] = new RegExp(`^ {4}${words}(.*\\\\\\n)*.*$`, 'm').exec(read(document)) ?? [];
  if (line === undefined) throw new Error(`${document} has no line that begins with ${words}`);
  return line;
}
