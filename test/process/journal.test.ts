import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { rpftrace } from './support/program.js';

const scratch = mkdtempSync(join(tmpdir(), 'journal-'));
const log = join(scratch, 'log');

afterAll(() => rmSync(scratch, { recursive: true }));

it('tells the journal of systemd how much a line matters, each line of it', async () => {
  const lines = await logged((dev, ino) => `${dev}:${ino}`);
  expect(lines.filter((line) => line.includes('0 lost'))).toEqual([expect.stringMatching(/^<6>rpftrace: /)]);
  expect(lines.every((line) => /^<[346]>/.test(line))).toBe(true);
});

it('tells nobody else: the variable is inherited by those who write elsewhere', async () => {
  const lines = await logged((dev, ino) => `${dev}:${ino + 1}`);
  expect(lines.some((line) => line.includes('0 lost'))).toBe(true);
  expect(lines.filter((line) => line.startsWith('<'))).toEqual([]);
});

it('an error is an error', async () => {
  const lines = await logged((dev, ino) => `${dev}:${ino}`, ['--out', join(scratch, 'gone', 'drops')]);
  expect(lines[0]).toMatch(/^<3>rpftrace: cannot write to /);
});

/** Lines of standard error, which goes to a file that JOURNAL_STREAM names, or does not. */
async function logged(stream: (dev: number, ino: number) => string, args: string[] = []): Promise<string[]> {
  writeFileSync(log, '');
  const { dev, ino } = statSync(log);
  const under = ['bash', '-c', 'exec "$@" 2>"$0"', log];
  const env = { JOURNAL_STREAM: stream(dev, ino) };
  await rpftrace(['trace', '-o', 'ndjson', '--duration', '100ms', ...args], { under, env });
  return readFileSync(log, 'utf8').split('\n').slice(0, -1);
}
