import { spawn } from 'node:child_process';
import { loadavg, release } from 'node:os';
import { text } from 'node:stream/consumers';
import { path, root } from '../../../scripts/lib/command.mjs';
import { kernel } from '../lib/kernel.mjs';
import { LOADERS } from '../lib/loader.mjs';
import { runInMachine } from '../lib/machine.mjs';

/**
 * Runs cases, all or the main ones, on the kernel that runs this (`kernel: 'own'`) or in a machine with another, and loads the objects of
 * each compiler there. Returns {title, release, kernel, began (ISO 8601), load (average of a minute, then), seconds,
 * cases: case -> {outcome, words}, start}, where `start` is the tracer's own start event; where it cannot trace at all, `refused` is {code, message}. A machine that died leaves out what it did not get to; `died` says how.
 */
export async function runOn(machine) {
  const began = new Date();
  const load = loadavg()[0];
  const run = machine.kernel === 'own' ? await runOnOwn(machine) : await runOnKernel(machine);
  const seconds = Math.round((Date.now() - began.getTime()) / 1000);
  return { ...run, began: began.toISOString(), load, seconds };
}

async function runOnKernel({ kernel: name, arch, lockdown, main }) {
  const { release } = await kernel(name, { arch });
  const title = lockdown ? `${release} ${lockdown}` : release;
  const withLoaders = arch === process.arch && !lockdown; // lockdown changes nothing of what is verified
  const result = await runInMachine({
    kernel: name,
    arch,
    command: `LOADERS=${withLoaders ? GUEST_LOADERS : ''} node test/vm/guest/cases.mjs ${main ? '--main' : ''}`,
    shares: withLoaders ? { [GUEST_LOADERS]: LOADERS } : {},
    append: lockdown ? `lockdown=${lockdown}` : '',
    timeoutMs: MACHINE_MS,
  });
  const died = result.code === 0 ? undefined : lastWords(result.stderr || result.console);
  const machine = arch === 'x64' ? name : `${name} ${arch}`;
  return { title, kernel: machine, lockdown, release, died, ...parse(result.stdout) };
}

async function runOnOwn({ main }) {
  const { status, stdout, stderr } = await runHere(main ? ['--main'] : []);
  const died = status === 0 ? undefined : lastWords(stderr);
  return { title: `${release()} (own)`, kernel: 'own', release: release(), died, ...parse(stdout) };
}

function runHere(args) {
  const child = spawn(process.execPath, ['test/vm/guest/cases.mjs', ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PATH: path, LOADERS },
  });
  const [stdout, stderr] = [child.stdout, child.stderr].map((stream) => text(stream));
  return new Promise((done, fail) => {
    child.on('error', fail);
    child.on('close', async (status) => done({ status, stdout: await stdout, stderr: await stderr }));
  });
}

const GUEST_LOADERS = '/loaders';

/** A kernel that hangs. On a quiet computer all cases need four minutes; where others keep it busy a machine must not be cut short. */
const MACHINE_MS = 3_600_000;

/** What matters of the last that was heard: of an error its first line, of a kernel its end. */
function lastWords(text) {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const telling =
    lines.findLast((line) => /error|panic|bug:|oops|killed/i.test(line)) ??
    lines.at(-1) ??
    'nothing was heard';
  return telling.slice(0, 200);
}

function parse(stdout) {
  const lines = stdout.split('\n').filter((line) => line.startsWith('{'));
  const objects = lines.map((line) => JSON.parse(line));
  const cases = new Map(objects.filter((object) => object.case).map((object) => [object.case, object]));
  return {
    cases,
    start: objects.find(({ start }) => start)?.start,
    refused: objects.find(({ refused }) => refused)?.refused,
  };
}
