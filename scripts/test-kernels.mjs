/**
 * Runs the cases of the lab on other kernels, in emulated machines, from the built package:
 *
 *     node scripts/test-kernels.mjs [--short | --main] [--kernel NAME]... [--own] [--update] [--write]
 *
 * --short: the main cases on the oldest and the newest kernel. --main: the main cases only, on all. --own: the cases on this machine's kernel too. --update: look for
 * newer kernels. --write: put the table into docs/compatibility.md. Fails on every case that is not as expected and not declared
 * under "Holes" there. The last line on stdout is "N passed, N failed[, N skipped]". Needs root.
 */
import { parseArgs } from 'node:util';
import { KERNELS } from '../test/vm/lib/kernel.mjs';
import { readHoles, writeTable } from '../test/vm/matrix/document.mjs';
import { judgeRun } from '../test/vm/matrix/holes.mjs';
import { MAIN_CASES, runOnKernel, runOnOwn } from '../test/vm/matrix/run.mjs';
import { table } from '../test/vm/matrix/table.mjs';
import { main, Stop } from './lib/command.mjs';
import { installDebianPackages } from './lib/debian.mjs';

const { values: options } = parseArgs({
  options: {
    short: { type: 'boolean' },
    main: { type: 'boolean' },
    kernel: { type: 'string', multiple: true },
    own: { type: 'boolean' },
    update: { type: 'boolean' },
    write: { type: 'boolean' },
  },
});

await main(async () => {
  installDebianPackages(['vm']);
  const names = Object.keys(KERNELS);
  const unknown = options.kernel?.find((name) => !names.includes(name));
  if (unknown) throw new Stop(`--kernel ${unknown}: there are ${names.join(', ')}`, 2);
  const runs = [];
  for (const run of planned(names)) {
    const started = Date.now();
    runs.push(await run());
    const { title, cases } = runs.at(-1);
    process.stdout.write(`${title}: ${cases.size} cases in ${Math.round((Date.now() - started) / 1000)} s\n`);
  }
  report(runs);
});

function planned(names) {
  const cases = options.short || options.main ? MAIN_CASES : [];
  const { update } = options;
  const chosen = options.kernel ?? (options.short ? [names[0], names.at(-1)] : names);
  const locked = options.short ? [] : chosen.map((kernel) => ({ kernel, lockdown: 'confidentiality' }));
  return [
    ...(options.own ? [() => runOnOwn(cases)] : []),
    ...chosen.map((kernel) => () => runOnKernel({ kernel, cases, update })),
    ...locked.map((machine) => () => runOnKernel({ ...machine, cases: MAIN_CASES })),
  ];
}

function report(runs) {
  const verdicts = runs.map((run) => judgeRun(run, readHoles()));
  process.stdout.write(`\n${table(runs)}\n\n`);
  for (const { words } of verdicts) for (const line of words) process.stdout.write(`${line}\n`);
  if (options.write) writeTable(runs);
  const sum = (name) => verdicts.reduce((total, verdict) => total + verdict[name], 0);
  const skipped = sum('skipped') > 0 ? `, ${sum('skipped')} skipped` : '';
  process.stdout.write(`${sum('passed')} passed, ${sum('failed')} failed${skipped}\n`);
  if (sum('failed') > 0) process.exitCode = 1;
}
