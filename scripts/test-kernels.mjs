/**
 * Runs the cases of the lab on this machine's kernel and on others, in emulated machines, from the built package:
 *
 *     node scripts/test-kernels.mjs [--short | --main] [--arch arm64] [--kernel NAME]... [--own] [--jobs N] [--update] [--continue] [--write]
 *
 * --short: the main cases on one kernel for each BPF object, skipped where this computer shows that it cannot have the machines.
 * --main: the main cases only, on all. --kernel: on these alone; --own: and on this machine's kernel. --jobs: machines at a time, 1. --update: look for newer
 * kernels. --continue: what a run of this same build that was cut short has found stands. --write: put the tables into docs/compatibility.md, and what the
 * verifier processes into test/fixtures/verifier.json. Fails on every case that is not as expected and not declared under "Holes" there.
 * The last line on stdout is "N passed, N failed[, N skipped]". Needs root.
 * --arch arm64: emulated arm64 machines, with the cross-built binaries of the package; no lockdown there, and no table.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { MAIN_CASES } from '../test/vm/guest/main-cases.mjs';
import { requireArch } from '../test/vm/lib/arch.mjs';
import { KERNELS } from '../test/vm/lib/kernel.mjs';
import { buildName } from '../test/vm/lib/package.mjs';
import { readHoles, writeTable } from '../test/vm/matrix/document.mjs';
import { judgeRun } from '../test/vm/matrix/holes.mjs';
import { prepare } from '../test/vm/matrix/prepare.mjs';
import { keep, kept } from '../test/vm/matrix/results.mjs';
import { runOn } from '../test/vm/matrix/run.mjs';
import { table } from '../test/vm/matrix/table.mjs';
import { judgeGrowth, writeRecord } from '../test/vm/matrix/verifier.mjs';
import { inParallel } from '../test/vm/matrix/workers.mjs';
import { main, Stop } from './lib/command.mjs';

const { values: options } = parseArgs({
  options: {
    short: { type: 'boolean' },
    main: { type: 'boolean' },
    arch: { type: 'string', default: 'x64' },
    kernel: { type: 'string', multiple: true },
    own: { type: 'boolean' },
    jobs: { type: 'string', default: '1' },
    update: { type: 'boolean' },
    continue: { type: 'boolean' },
    write: { type: 'boolean' },
  },
});

/** Kernels of --short: up to 5.16, up to 6.1 and later ones each load a BPF object of their own. */
const SHORT = ['5.10', '6.1', 'newest'];

/** All kernels, all cases: what the document is made of. */
const isWhole = !options.short && !options.main && !options.kernel && options.arch === 'x64';

await main(async () => {
  const known = Object.keys(KERNELS);
  const unknown = options.kernel?.find((name) => !known.includes(name));
  if (unknown) throw new Stop(`--kernel ${unknown}: there are ${known.join(', ')}`, 2);
  const jobs = Number(options.jobs);
  if (!Number.isInteger(jobs) || jobs < 1) throw new Stop(`--jobs ${options.jobs}: a number from 1 on`, 2);
  const wanted = options.kernel ?? (options.short ? SHORT : known);
  const arch = requireArch(options.arch);
  if (options.write && !isWhole)
    throw new Stop('--write: the tables are of a whole run: without --short, --main, --kernel, --arch', 2);
  const { lack, absent } = await prepare(wanted, { ...options, mayLack: !options.kernel && arch !== 'x64' });
  if (lack !== undefined) {
    skip(lack, wanted.length * MAIN_CASES.length);
    return;
  }
  for (const [name, why] of absent) process.stdout.write(`${name} ${arch}: skipped, ${why}\n`);
  const names = wanted.filter((name) => !absent.has(name));
  const build = buildName(arch);
  const runs = await inParallel(planned(names, arch), jobs, (machine) => runOrTake(machine, build));
  for (const run of options.write ? [] : runs) judgeGrowth(run);
  report(runs, absent.size);
  if (options.write) write(runs);
});

/** Runs a machine, unless it has been run. */
async function runOrTake(machine, build) {
  const isKept = isWhole;
  const earlier = isKept && options.continue ? kept(machine, build) : undefined;
  const run = earlier ?? (await runOn(machine));
  if (isKept && !earlier) keep(machine, run, build);
  const words = earlier ? `, of the run of ${run.began}` : '';
  process.stdout.write(`${run.title}: ${run.cases.size} cases in ${run.seconds} s${words}\n`);
  return run;
}

function write(runs) {
  const begin = Math.min(...runs.map(({ began }) => Date.parse(began)));
  const end = Math.max(...runs.map(({ began, seconds }) => Date.parse(began) + seconds * 1000));
  const loads = runs.map(({ load }) => load);
  const time = (ms) => new Date(ms).toISOString().slice(0, 16).replace('T', ' ');
  const minutes = Math.round(runs.reduce((sum, { seconds }) => sum + seconds, 0) / 60);
  writeTable(
    runs,
    `All of this comes from one run of one build, ${time(begin)} to ${time(end)} UTC, on a computer with ${availableParallelism()} CPUs: ${minutes} minutes of \
machines, with a load average of ${Math.min(...loads).toFixed(1)} to ${Math.max(...loads).toFixed(1)} when each was started.`,
  );
  writeRecord(runs);
}

function skip(why, count) {
  if (!options.short) throw new Stop(why, 3);
  process.stdout.write(`${why}\n0 passed, 0 failed, ${count} skipped\n`);
}

function planned(names, arch) {
  const main = options.short || options.main;
  const machines = options.short ? names.map((kernel) => ({ kernel, arch })) : machinesOf(names, arch);
  return [...(options.own || isWhole ? [{ kernel: 'own' }] : []), ...machines].map((machine) => ({
    ...machine,
    main,
  }));
}

/** What lockdown forbids is the same on all architectures. */
function machinesOf(names, arch) {
  const open = names.map((kernel) => ({ kernel, arch }));
  return arch === 'x64'
    ? [...open, ...open.map((machine) => ({ ...machine, lockdown: 'confidentiality' }))]
    : open;
}

function report(runs, absent) {
  const verdicts = runs.map((run) => judgeRun(run, readHoles()));
  process.stdout.write(`\n${table(runs)}\n\n`);
  for (const { words } of verdicts) for (const line of words) process.stdout.write(`${line}\n`);
  const sum = (name) => verdicts.reduce((total, verdict) => total + verdict[name], 0);
  const notRun = sum('skipped') + absent;
  const skipped = notRun > 0 ? `, ${notRun} skipped` : '';
  process.stdout.write(`${sum('passed')} passed, ${sum('failed')} failed${skipped}\n`);
  if (sum('failed') > 0) process.exitCode = 1;
}
