import { spawnSync } from 'node:child_process';
import { release } from 'node:os';
import { path, root } from '../../../scripts/lib/command.mjs';
import { kernel } from '../lib/kernel.mjs';
import { runInMachine } from '../lib/machine.mjs';

/** One of each kind: what a short run runs. */
export const MAIN_CASES = [
  'strict',
  'loose-unnumbered',
  'off',
  'no-route',
  'reply-path',
  'local-source',
  'multicast-source',
  'loopback-source',
  'nft-fib',
  'arp-refused',
  'writer',
];

/**
 * Runs cases (none: all) in a machine with a kernel. Returns {title, release, kernel, cases: case -> {outcome, words}, start},
 * where `start` is the tracer's own start event. A machine that died leaves out what it did not get to; `died` says how.
 */
export async function runOnKernel({ kernel: name, lockdown, cases }) {
  const { release } = await kernel(name);
  const title = lockdown ? `${release} ${lockdown}` : release;
  const result = await runInMachine({
    kernel: name,
    command: `node test/vm/guest/cases.mjs ${cases.join(' ')}`,
    append: lockdown ? `lockdown=${lockdown}` : '',
    timeoutMs: MACHINE_MS,
  });
  const died = result.code === 0 ? undefined : (result.stderr || result.console).slice(-2000);
  return { title, kernel: name, lockdown, release, died, ...parse(result.stdout) };
}

/** The same on the kernel that runs this. */
export function runOnOwn(cases) {
  const { stdout, stderr, status } = spawnSync(process.execPath, ['test/vm/guest/cases.mjs', ...cases], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, PATH: path },
    maxBuffer: 64 << 20,
  });
  const died = status === 0 ? undefined : stderr.slice(-2000);
  return { title: `${release()} (own)`, kernel: 'own', release: release(), died, ...parse(stdout) };
}

/** Some five times what all cases need on a quiet machine: only a kernel that hangs takes so long. */
const MACHINE_MS = 1_200_000;

function parse(stdout) {
  const lines = stdout.split('\n').filter((line) => line.startsWith('{'));
  const objects = lines.map((line) => JSON.parse(line));
  const cases = new Map(objects.filter((object) => object.case).map((object) => [object.case, object]));
  return { cases, start: objects.find(({ start }) => start)?.start };
}
