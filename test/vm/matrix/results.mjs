import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CACHE } from '../../../scripts/lib/cache.mjs';

const DIRECTORY = join(CACHE, 'results');

/** Keeps a run, so that a table of all kernels need not come from one sitting. */
export function keep(run) {
  mkdirSync(DIRECTORY, { recursive: true });
  writeFileSync(fileOf(run), JSON.stringify({ ...run, cases: [...run.cases] }));
}

/** The last run of each of these machines, {kernel, lockdown}, where there was one. */
export function lastRuns(machines) {
  return machines
    .map(fileOf)
    .filter((file) => existsSync(file))
    .map((file) => JSON.parse(readFileSync(file, 'utf8')))
    .map((run) => ({ ...run, cases: new Map(run.cases) }));
}

function fileOf({ kernel, lockdown = 'none' }) {
  return join(DIRECTORY, `${kernel}-${lockdown}.json`);
}
