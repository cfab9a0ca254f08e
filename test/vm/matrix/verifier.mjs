import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../../../scripts/lib/command.mjs';

const RECORD = join(root, 'test', 'fixtures', 'verifier.json');

/** What the run of a machine found out of the verifier: [compiler, {program: instructions processed}] of each compiler. */
export function verifiedIn({ cases }) {
  return [...cases.values()].flatMap(({ case: name, verified }) =>
    verified ? [[name.replace(/^verifier /, ''), verified]] : [],
  );
}

/** Makes a load not ok of which a program takes the verifier more than was recorded, in place. Only Debian's kernels are recorded. */
export function judgeGrowth(run) {
  const record = existsSync(RECORD) ? JSON.parse(readFileSync(RECORD, 'utf8')) : {};
  for (const [compiler, verified] of verifiedIn(run)) {
    const recorded = record[run.kernel];
    const words = grown(verified, recorded?.programs[compiler], allowed(run, recorded));
    if (words.length > 0) Object.assign(run.cases.get(`verifier ${compiler}`), { outcome: 'not ok', words });
  }
}

/** A verifier of another build of the kernel counts otherwise, without a growth of ours. */
function allowed({ release }, recorded) {
  return release === recorded?.release ? 1.1 : 1.5;
}

/** With a compiler that nobody has recorded there is nothing to hold against. */
function grown(verified, recorded, factor) {
  if (recorded === undefined) return [];
  return Object.entries(verified)
    .filter(([program, count]) => count > (recorded[program] ?? 0) * factor)
    .map(
      ([program, count]) =>
        `${program}: the verifier processes ${count} instructions, recorded ${recorded[program] ?? 'none'}: npm run test:kernels -- --write`,
    );
}

/** Records what runs on Debian's kernels found. */
export function writeRecord(runs) {
  const found = runs.filter((run) => run.kernel !== 'own' && verifiedIn(run).length > 0);
  const record = Object.fromEntries(
    found.map((run) => [
      run.kernel,
      { release: run.release, programs: Object.fromEntries(verifiedIn(run).map(sorted)) },
    ]),
  );
  writeFileSync(RECORD, `${JSON.stringify(record, null, 2)}\n`);
}

function sorted([compiler, verified]) {
  const entries = Object.entries(verified).sort(([a], [b]) => a.localeCompare(b));
  return [compiler, Object.fromEntries(entries)];
}
