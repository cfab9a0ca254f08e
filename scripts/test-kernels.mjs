/**
 * Runs the cases of the lab on other kernels, in emulated machines, from the built package:
 *
 *     node scripts/test-kernels.mjs [--short | --main] [--arch arm64] [--kernel NAME]... [--own] [--update] [--write]
 *
 * --short: the main cases on one kernel for each BPF object, skipped where this computer shows that it cannot have the machines.
 * --main: the main cases only, on all. --own: the cases on this machine's kernel too. --update: look for newer kernels. --write:
 * put the table into docs/compatibility.md, with the last run of each kernel. Fails on every case that is not as expected and not declared under "Holes" there.
 * The last line on stdout is "N passed, N failed[, N skipped]". Needs root.
 * --arch arm64: emulated arm64 machines, with the cross-built binaries of the package; no lockdown there, and no table.
 */
import { parseArgs } from 'node:util';
import { MAIN_CASES } from '../test/vm/guest/main-cases.mjs';
import { requireArch } from '../test/vm/lib/arch.mjs';
import { KERNELS } from '../test/vm/lib/kernel.mjs';
import { readHoles, writeTable } from '../test/vm/matrix/document.mjs';
import { judgeRun } from '../test/vm/matrix/holes.mjs';
import { prepare } from '../test/vm/matrix/prepare.mjs';
import { keep, lastRuns } from '../test/vm/matrix/results.mjs';
import { runOnKernel, runOnOwn } from '../test/vm/matrix/run.mjs';
import { table } from '../test/vm/matrix/table.mjs';
import { main, Stop } from './lib/command.mjs';

const { values: options } = parseArgs({
  options: {
    short: { type: 'boolean' },
    main: { type: 'boolean' },
    arch: { type: 'string', default: 'x64' },
    kernel: { type: 'string', multiple: true },
    own: { type: 'boolean' },
    update: { type: 'boolean' },
    write: { type: 'boolean' },
  },
});

/** Kernels of --short: up to 5.16, up to 6.1 and later ones each load a BPF object of their own. */
const SHORT = ['5.10', '6.1', 'newest'];

await main(async () => {
  const known = Object.keys(KERNELS);
  const unknown = options.kernel?.find((name) => !known.includes(name));
  if (unknown) throw new Stop(`--kernel ${unknown}: there are ${known.join(', ')}`, 2);
  const names = options.kernel ?? (options.short ? SHORT : known);
  const arch = requireArch(options.arch);
  if (options.write && arch !== 'x64') throw new Stop('--write: the table is that of x86-64', 2);
  const lack = await prepare(names, options);
  if (lack !== undefined) {
    skip(lack, names.length * MAIN_CASES.length);
    return;
  }
  const runs = [];
  for (const machine of planned(names, arch)) {
    const started = Date.now();
    const run = await runOn(machine);
    runs.push(run);
    if (!machine.main && arch === 'x64') keep(run);
    process.stdout.write(
      `${run.title}: ${run.cases.size} cases in ${Math.round((Date.now() - started) / 1000)} s\n`,
    );
  }
  report(runs);
  if (options.write) writeTable(lastRuns(machinesOf(known, arch)));
});

function skip(why, count) {
  if (!options.short) throw new Stop(why, 3);
  process.stdout.write(`${why}\n0 passed, 0 failed, ${count} skipped\n`);
}

function planned(names, arch) {
  const main = options.short || options.main;
  const machines = options.short ? names.map((kernel) => ({ kernel, arch })) : machinesOf(names, arch);
  return [...(options.own ? [{ kernel: 'own' }] : []), ...machines].map((machine) => ({ ...machine, main }));
}

/** What lockdown forbids is the same on all architectures. */
function machinesOf(names, arch) {
  const open = names.map((kernel) => ({ kernel, arch }));
  return arch === 'x64'
    ? [...open, ...open.map((machine) => ({ ...machine, lockdown: 'confidentiality' }))]
    : open;
}

async function runOn(machine) {
  return machine.kernel === 'own' ? runOnOwn(machine) : await runOnKernel(machine);
}

function report(runs) {
  const verdicts = runs.map((run) => judgeRun(run, readHoles()));
  process.stdout.write(`\n${table(runs)}\n\n`);
  for (const { words } of verdicts) for (const line of words) process.stdout.write(`${line}\n`);
  const sum = (name) => verdicts.reduce((total, verdict) => total + verdict[name], 0);
  const skipped = sum('skipped') > 0 ? `, ${sum('skipped')} skipped` : '';
  process.stdout.write(`${sum('passed')} passed, ${sum('failed')} failed${skipped}\n`);
  if (sum('failed') > 0) process.exitCode = 1;
}
