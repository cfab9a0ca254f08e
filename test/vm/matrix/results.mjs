import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CACHE } from '../../../scripts/lib/cache.mjs';

const DIRECTORY = join(CACHE, 'results');

/** Keeps the run of a machine, {kernel, lockdown}: should all be cut short, it need not be run again. */
export function keep(machine, run, build) {
  mkdirSync(DIRECTORY, { recursive: true });
  const text = JSON.stringify({ ...run, build, cases: [...run.cases] });
  writeFileSync(fileOf(machine), text);
}

/** The run of this machine with this build that was kept, if there is one that came to its end. */
export function kept(machine, build) {
  const file = fileOf(machine);
  if (!existsSync(file)) return undefined;
  const run = JSON.parse(readFileSync(file, 'utf8'));
  if (run.build !== build || run.died !== undefined) return undefined;
  return { ...run, cases: new Map(run.cases) };
}

function fileOf({ kernel, lockdown = 'none' }) {
  return join(DIRECTORY, `${kernel}-${lockdown}.json`);
}
