/**
 * Measures what each backend costs per dropped and per accepted packet:  npm run bench:backends -- [--kernel NAME]... [--packets N] [--rounds N]
 *
 * This machine's kernel may take none but the tracepoint, so the others run in emulated machines whose clocks count instructions. What an instruction takes here
 * is found out with what runs in both. What the kernel does on the way into a program is found out with programs that do nothing. docs/bench.md says how far to trust all that. Prints a table for each kernel
 * and writes them to bench/results/<date>-<kernel>-backends.txt. Needs root.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { archIncludes } from '../scripts/build-bpf.mjs';
import { isRoot, main, root, runQuietly, Stop } from '../scripts/lib/command.mjs';
import { KERNELS, kernel } from '../test/vm/lib/kernel.mjs';
import { runInMachine } from '../test/vm/lib/machine.mjs';
import { prepare } from '../test/vm/matrix/prepare.mjs';
import {
  EMPTY_OF,
  formatCosts,
  formatYardsticks,
  OTHER_WAYS,
  YARDSTICK,
  yardsticks,
} from './lib/backends-report.mjs';
import { describeMachine, loadAverage } from './lib/machine.mjs';

const SCRIPTS = join(root, 'bench', 'lib');
const BACKENDS = ['default', 'tracepoint', 'fentry', 'fexit', 'kprobe'];
const EMPTY = [...Object.values(EMPTY_OF), ...OTHER_WAYS, YARDSTICK];
/** What is compiled of SCRIPTS. */
const PROGRAMS = join(root, 'build', 'bench');
/** On the real machine packets take a hundredth of the time. */
const MORE_HERE = 10;

/** Of a kernel that hangs; else some minutes. */
const MACHINE_MS = 1_800_000;

await main(async () => {
  if (!isRoot()) throw new Stop('the bench needs root: it creates network namespaces and loads BPF programs');
  const options = readOptions();
  const { lack } = await prepare(options.kernels, { arch: 'x64', short: true });
  if (lack !== undefined) throw new Stop(lack, 3);
  buildPrograms();
  const real = measureHere(options);
  const title = head(options);
  const counted = [];
  for (const name of options.kernels) counted.push(await measureOn(name, options));
  // Of all kernels the newest does most nearly what this machine's does.
  const nearest = counted.at(-1);
  const found = yardsticks(nearest, real);
  const tables = counted.map((one) => formatCosts(one, found));
  const report = [title, ...tables, formatYardsticks(found, nearest.release), ''].join('\n\n');
  process.stdout.write(`\n${report}`);
  write(report);
});

function readOptions() {
  const text = { type: 'string' };
  const options = { kernel: { ...text, multiple: true }, packets: text, rounds: text };
  const {
    kernel: wanted = ['5.10', '6.12'],
    packets = '20000',
    rounds = '3',
  } = parseArgs({ options }).values;
  const unknown = wanted.find((name) => !(name in KERNELS));
  if (unknown) throw new Stop(`--kernel ${unknown}: there are ${Object.keys(KERNELS).join(', ')}`, 2);
  for (const word of [packets, rounds])
    if (!/^[1-9]\d{0,6}$/.test(word)) throw new Stop(`'${word}' is not a whole number from 1 on`, 2);
  const kernels = Object.keys(KERNELS).filter((name) => wanted.includes(name));
  return { kernels, packets: Number(packets), rounds: Number(rounds) };
}

/** The same libraries are in the machines. */
function buildPrograms() {
  mkdirSync(PROGRAMS, { recursive: true });
  for (const name of ['empty_hooks', 'trampoline']) {
    const [source, program] = [join(SCRIPTS, `${name}.c`), join(PROGRAMS, name)];
    runQuietly('cc', ['-std=gnu11', '-O1', '-Wall', '-D_GNU_SOURCE', source, '-o', program, '-lbpf']);
  }
  const [source, object] = [join(SCRIPTS, 'trampoline.bpf.c'), join(PROGRAMS, 'trampoline.bpf.o')];
  const flags = ['-target', 'bpf', '-O2', '-g', ...archIncludes()];
  runQuietly('clang', [...flags, '-c', source, '-o', object]);
}

/** Nanoseconds of this machine. */
function measureHere({ packets, rounds }) {
  const words = [packets * MORE_HERE, rounds, 'tracepoint', YARDSTICK].map(String);
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(SCRIPTS, 'backend-costs.mjs'), ...words],
    { cwd: root, encoding: 'utf8', env: { ...process.env, BENCH_PROGRAMS: PROGRAMS } },
  );
  if (status !== 0) throw new Stop(`the tracepoint cannot be measured here: ${stderr.trim()}`);
  return JSON.parse(stdout);
}

/** Instructions, and the release of the kernel that they were counted on. */
async function measureOn(name, { packets, rounds }) {
  const names = [...BACKENDS, ...EMPTY].map((word) => `'${word}'`);
  const { code, stdout, stderr } = await runInMachine({
    kernel: name,
    command: `BENCH_PROGRAMS=/programs node /bench/backend-costs.mjs ${packets} ${rounds} ${names.join(' ')}`,
    shares: { '/bench': SCRIPTS, '/programs': PROGRAMS },
    countsInstructions: true,
    timeoutMs: MACHINE_MS,
  });
  if (code !== 0) throw new Stop(`${name}: the machine ended with ${code ?? 'nothing'}: ${stderr.trim()}`);
  return { ...JSON.parse(stdout), release: (await kernel(name)).release };
}

function head({ packets, rounds }) {
  const { cpu, cores, kernel: release, node, commit } = describeMachine(tmpdir());
  return [
    `${cpu}, ${cores} cores, Linux ${release}, Node ${node}, ${commit.slice(0, 9)}; load ${loadAverage()}`,
    `${packets} packets a run (${packets * MORE_HERE} on this machine's kernel), the least of ${rounds} rounds`,
  ].join('\n');
}

function write(report) {
  const folder = join(root, 'bench', 'results');
  mkdirSync(folder, { recursive: true });
  const file = `${new Date().toISOString().slice(0, 10)}-${describeMachine(tmpdir()).kernel}-backends.txt`;
  writeFileSync(join(folder, file), report);
}
