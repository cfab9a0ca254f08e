import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { root } from './support/program.js';

const run = promisify(execFile);
const timeout = 240_000;

test(
  'serve goes through hours of churn: nothing is lost to who keeps up or comes back, nothing leaks',
  async () => {
    const directory = mkdtempSync(join(tmpdir(), 'soak-'));
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    const file = join(directory, 'result.json');
    const words = [join(root, 'bench', 'soak.mjs'), '--seconds', '60', '--results', file];
    const { stderr } = await run(process.execPath, words, { timeout }).catch((error) => error);
    expect(existsSync(file), stderr).toBe(true);
    const { problems, drops, readers, pods, flips, weather, holdings } = JSON.parse(
      readFileSync(file, 'utf8'),
    );

    expect(problems).toEqual([]);
    expect(drops.kernel).toBeGreaterThan(10_000);
    for (const { refused, lost } of [...readers.keepers, ...readers.hoppers])
      expect({ refused, lost: lost.events }).toEqual({ refused: drops.kernel, lost: 0 });
    expect(pods).toBeGreaterThan(100);
    expect(readers.keepers[0].incidents_closed).toBeGreaterThan(flips / 2);
    for (const [what, count] of Object.entries(weather)) expect(count, what).toBeGreaterThan(0);
    expect(holdings.after.bpf).toEqual(holdings.before.bpf);
  },
  timeout,
);
