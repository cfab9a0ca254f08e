import { fstatSync } from 'node:fs';
import { printable } from '../printable.js';

/** Of syslog(3). */
const PRIORITIES = { error: 3, warning: 4, info: 6 } as const;

/** Writes lines to standard error. The journal of systemd is told how much they matter, sd-daemon(3). */
export function say(text: string, priority: keyof typeof PRIORITIES = 'warning'): void {
  isJournal ??= goesToJournal();
  const prefix = isJournal ? `<${PRIORITIES[priority]}>` : '';
  const lines = text.replace(/\n$/, '').split('\n');
  process.stderr.write(`${lines.map((line) => prefix + line).join('\n')}\n`);
}

/** Something that people should know, in words; safe for a terminal. */
export function note(text: string): void {
  say(`rpftrace: ${printable(text)}`);
}

let isJournal: boolean | undefined;

/** JOURNAL_STREAM names the file that the journal reads; children inherit the variable, but mostly not the file. */
function goesToJournal({ JOURNAL_STREAM: stream } = process.env): boolean {
  if (stream === undefined) return false;
  try {
    const { dev, ino } = fstatSync(STDERR);
    return stream === `${dev}:${ino}`;
  } catch {
    return false;
  }
}

const STDERR = 2;
