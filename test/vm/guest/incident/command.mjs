import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { show } from './report.mjs';

/** Runs a line for the shell and shows it, as a person would have typed it. Throws what it said when it fails. */
export async function type(line) {
  show(`$ ${line}`);
  return await quietly(line);
}

/** The same without a word. Returns what it printed. */
export async function quietly(line) {
  const { stdout } = await promisify(execFile)('bash', ['-c', line]);
  return stdout.trim();
}
