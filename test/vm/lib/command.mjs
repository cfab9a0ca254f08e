import { spawnSync } from 'node:child_process';
import { CommandFailed, path } from '../../../scripts/lib/command.mjs';

/** Runs a command and returns what it printed. Throws CommandFailed with its words; `lenient` returns '' instead. */
export function must(command, args, { cwd, lenient = false } = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, PATH: path, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' },
    maxBuffer: 64 << 20,
  });
  if (status === 0) return stdout;
  if (lenient) return '';
  throw new CommandFailed(`${[command, ...args].join(' ')}: ${error?.message ?? stderr.trim().slice(-2000)}`);
}
