import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { root } from './support/program.js';

const run = promisify(execFile);
const timeout = 120_000;
const drops = 5000;
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'bench-'));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('npm run bench', () => {
  it(
    'measures both modes and accounts for every drop',
    async () => {
      const words = ['--quick', '--drops', String(drops), '--only', 'default', '--only', 'every'];
      const { stdout } = await run(
        process.execPath,
        [join(root, 'bench', 'run.mjs'), ...words, '--results', directory],
        { timeout },
      );
      const { cases, targets, problems } = readResult('rpftrace --every');

      expect(problems).toEqual([]);
      for (const result of [cases.default, cases.every]) {
        expect(result.flood.runs).toMatchObject([{ drops, counted: drops - result.flood.lost, untold: 0 }]);
        expect(result.rates).toMatchObject([{ rate: 10_000, drops: 2000, untold: 0 }]);
        expect(result.bpf.runs).toBeGreaterThanOrEqual(drops);
        expect(result.start.attached_ms).toBeGreaterThan(0);
        expect(result.idle.cpu_seconds).toBeGreaterThanOrEqual(0);
      }
      expect(cases.every.latency.p99_ms).toBeGreaterThanOrEqual(cases.every.latency.p50_ms);
      for (const { value } of targets) expect(value).toEqual(expect.any(Number));
      expect(stdout).toMatch(/targets (met|missed)/);
    },
    timeout,
  );
});

describe('npm run bench:serve', () => {
  it(
    'measures a server with many readers and other sinks, and accounts for every drop',
    async () => {
      const names = ['serve-1', 'every-20', 'pcapng', 'events'];
      const words = ['--quick', ...names.flatMap((name) => ['--only', name]), '--results', directory];
      await run(process.execPath, [join(root, 'bench', 'serve.mjs'), ...words], { timeout });
      const { cases, problems } = readResult('20 readers');

      expect(problems).toEqual([]);
      for (const name of names) {
        const { drops, counted, lost, untold } = cases[name].flood;
        expect({ drops, untold, sum: counted + lost }).toEqual({ drops: 4000, untold: 0, sum: 4000 });
      }
      expect(cases['serve-1'].flood.events_heard).toBeGreaterThan(0);
      expect(cases['every-20'].flood.events_heard).toBeGreaterThan(0);
      expect(cases['every-20'].latency.p99_ms).toBeGreaterThanOrEqual(cases['every-20'].latency.p50_ms);
    },
    timeout,
  );
});

/** The only result that it has written, and its table. */
function readResult(row: string) {
  const [name = '', table = '', ...others] = readdirSync(directory).sort();
  expect(others).toEqual([]);
  expect(readFileSync(join(directory, table), 'utf8')).toContain(row);
  return JSON.parse(readFileSync(join(directory, name), 'utf8'));
}
