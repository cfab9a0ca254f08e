import { spawnSync } from 'node:child_process';
import { release } from 'node:os';
import { path, root } from '../../../scripts/lib/command.mjs';
import { kernel } from '../lib/kernel.mjs';
import { runInMachine } from '../lib/machine.mjs';

/**
 * Runs cases, all or the main ones, in a machine with a kernel. Returns {title, release, kernel, cases: case -> {outcome, words}, start},
 * where `start` is the tracer's own start event; where it cannot trace at all, `refused` is {code, message}. A machine that died
 * leaves out what it did not get to; `died` says how.
 */
export async function runOnKernel({ kernel: name, arch, lockdown, main }) {
  const { release } = await kernel(name, { arch });
  const title = lockdown ? `${release} ${lockdown}` : release;
  const result = await runInMachine({
    kernel: name,
    arch,
    command: `node test/vm/guest/cases.mjs ${main ? '--main' : ''}`,
    append: lockdown ? `lockdown=${lockdown}` : '',
    timeoutMs: MACHINE_MS,
  });
  const died = result.code === 0 ? undefined : lastWords(result.stderr || result.console);
  const machine = arch === 'x64' ? name : `${name} ${arch}`;
  return { title, kernel: machine, lockdown, release, died, ...parse(result.stdout) };
}

/** The same on the kernel that runs this. */
export function runOnOwn({ main }) {
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ['test/vm/guest/cases.mjs', ...(main ? ['--main'] : [])],
    {
      cwd: root,
      encoding: 'utf8',
      env: { ...process.env, PATH: path },
      maxBuffer: 64 << 20,
    },
  );
  const died = status === 0 ? undefined : lastWords(stderr);
  return { title: `${release()} (own)`, kernel: 'own', release: release(), died, ...parse(stdout) };
}

/** Some five times what all cases need on a quiet machine: only a kernel that hangs takes so long. */
const MACHINE_MS = 1_200_000;

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
