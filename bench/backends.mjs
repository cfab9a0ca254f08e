/**
 * Measures what each backend costs per dropped and per accepted packet:  npm run bench:backends -- [--kernel NAME]... [--packets N] [--rounds N]
 *
 * This machine's kernel may take none but the tracepoint, so the others run in emulated machines whose clocks count instructions. What an instruction takes here
 * is found out with the tracepoint, which runs in both. docs/bench.md says how far to trust that. Prints a table for each kernel
 * and writes them to bench/results/<date>-<kernel>-backends.txt. Needs root.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { isRoot, main, root, Stop } from '../scripts/lib/command.mjs';
import { KERNELS, kernel } from '../test/vm/lib/kernel.mjs';
import { runInMachine } from '../test/vm/lib/machine.mjs';
import { prepare } from '../test/vm/matrix/prepare.mjs';
import { describeMachine, loadAverage } from './lib/machine.mjs';

const SCRIPTS = join(root, 'bench', 'lib');
const BACKENDS = ['default', 'tracepoint', 'fentry', 'fexit', 'kprobe'];
/** On the real machine packets take a hundredth of the time. */
const MORE_HERE = 10;

await main(async () => {
  if (!isRoot()) throw new Stop('the bench needs root: it creates network namespaces and loads BPF programs');
  const options = readOptions();
  const { lack } = await prepare(options.kernels, { arch: 'x64', short: true });
  if (lack !== undefined) throw new Stop(lack, 3);
  const real = measureHere(options);
  const tables = [];
  for (const name of options.kernels) tables.push(format(await measureOn(name, options), real));
  const report = [head(options), ...tables, ''].join('\n\n');
  process.stdout.write(`\n${report}`);
  write(report);
});

function readOptions() {
  const text = { type: 'string' };
  const options = { kernel: { ...text, multiple: true }, packets: text, rounds: text };
  const {
    kernel: kernels = ['5.10', '6.12'],
    packets = '20000',
    rounds = '3',
  } = parseArgs({ options }).values;
  const unknown = kernels.find((name) => !(name in KERNELS));
  if (unknown) throw new Stop(`--kernel ${unknown}: there are ${Object.keys(KERNELS).join(', ')}`, 2);
  for (const word of [packets, rounds])
    if (!/^[1-9]\d{0,6}$/.test(word)) throw new Stop(`'${word}' is not a whole number from 1 on`, 2);
  return { kernels, packets: Number(packets), rounds: Number(rounds) };
}

/** Nanoseconds of this machine. */
function measureHere({ packets, rounds }) {
  const words = [String(packets * MORE_HERE), String(rounds), 'tracepoint'];
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(SCRIPTS, 'backend-costs.mjs'), ...words],
    { cwd: root, encoding: 'utf8' },
  );
  if (status !== 0) throw new Stop(`the tracepoint cannot be measured here: ${stderr.trim()}`);
  return JSON.parse(stdout);
}

/** Instructions, and the release of the kernel that they were counted on. */
async function measureOn(name, { packets, rounds }) {
  const { code, stdout, stderr } = await runInMachine({
    kernel: name,
    command: `node /bench/backend-costs.mjs ${packets} ${rounds} ${BACKENDS.join(' ')}`,
    shares: { '/bench': SCRIPTS },
    countsInstructions: true,
    timeoutMs: MACHINE_MS,
  });
  if (code !== 0) throw new Stop(`${name}: the machine ended with ${code ?? 'nothing'}: ${stderr.trim()}`);
  return { ...JSON.parse(stdout), release: (await kernel(name)).release };
}

/** Of a kernel that hangs; else some two minutes. */
const MACHINE_MS = 1_800_000;

function head({ packets, rounds }) {
  const { cpu, cores, kernel: release, node, commit } = describeMachine(tmpdir());
  return [
    `${cpu}, ${cores} cores, Linux ${release}, Node ${node}, ${commit.slice(0, 9)}; load ${loadAverage()}`,
    `${packets} packets a run (${packets * MORE_HERE} on this machine's kernel), the least of ${rounds} rounds`,
  ].join('\n');
}

function format({ release, untraced, backends }, real) {
  const perInstruction = calibrate({ untraced, backends }, real);
  const [low, high] = [
    Math.min(...Object.values(perInstruction)),
    Math.max(...Object.values(perInstruction)),
  ];
  const names = Object.keys(backends);
  const row = (title, cell) => [title, ...names.map((name) => cellOf(backends[name], cell))];
  const more = (traffic) => (costs) => costs[traffic] - untraced[traffic];
  const rows = [
    [`Linux ${release}, emulated`, ...names],
    row('instructions more per accepted packet', (costs) => more('accepted')(costs).toFixed(0)),
    row(`  against ${untraced.accepted.toFixed(0)} untraced`, (costs) => ratio(costs, untraced, 'accepted')),
    row('  ns on this machine, estimated', (costs) => range(more('accepted')(costs), low, high)),
    row('instructions more per drop', (costs) => more('dropped')(costs).toFixed(0)),
    row(`  against ${untraced.dropped.toFixed(0)} untraced`, (costs) => ratio(costs, untraced, 'dropped')),
    row('  ns on this machine, estimated', (costs) => range(more('dropped')(costs), low, high)),
    row('  instructions in its programs, the clock read twice', (costs) => costs.program.toFixed(0)),
  ];
  const refusals = names.filter((name) => backends[name].refused);
  const factors = Object.entries(perInstruction).map(([by, ns]) => `${ns.toFixed(3)} by ${by}`);
  return [
    aligned(rows),
    `ns per instruction: ${factors.join(', ')}`,
    ...refusals.map((name) => `${name}: ${backends[name].refused}`),
  ].join('\n');
}

/** What the same work takes here in nanoseconds and there in instructions: three works, three answers. */
function calibrate({ untraced, backends: { tracepoint } }, real) {
  return {
    'accepted packets without a tracer': real.untraced.accepted / untraced.accepted,
    'drops without a tracer': real.untraced.dropped / untraced.dropped,
    'the program at the tracepoint': real.backends.tracepoint.program / tracepoint.program,
  };
}

function cellOf(costs, cell) {
  return costs.refused ? 'refused' : cell(costs);
}

function ratio(costs, untraced, traffic) {
  return `x${(costs[traffic] / untraced[traffic]).toFixed(3)}`;
}

function range(instructions, low, high) {
  return `${(instructions * low).toFixed(0)} to ${(instructions * high).toFixed(0)}`;
}

function aligned(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows
    .map(([title, ...cells]) =>
      [title.padEnd(widths[0]), ...cells.map((cell, at) => cell.padStart(widths[at + 1]))].join('  '),
    )
    .join('\n');
}

function write(report) {
  const folder = join(root, 'bench', 'results');
  mkdirSync(folder, { recursive: true });
  const file = `${new Date().toISOString().slice(0, 10)}-${describeMachine(tmpdir()).kernel}-backends.txt`;
  writeFileSync(join(folder, file), report);
}
