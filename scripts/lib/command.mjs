import { spawnSync } from 'node:child_process';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root of the project: every script works there, wherever it was called from. */
export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** Debian keeps nft, bpftool and sysctl in sbin, which is not in the PATH of ordinary users. */
export const path = `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin`;

export class CommandFailed extends Error {}

/** Runs a command in the project's root with our own terminal. Throws CommandFailed unless it ends with 0. */
export function run(command, args, env = {}) {
  const { status, signal, error } = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, PATH: path, ...env },
  });
  if (status === 0) return;
  const how = error ? error.message : signal ? `was ended by ${signal}` : `ended with ${status}`;
  throw new CommandFailed(`${[command, ...args].join(' ')}: ${how}`);
}

/** Like run(), but shows the command's output only when it fails. */
export function runQuietly(command, args, env = {}) {
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PATH: path, ...env },
    maxBuffer: 64 << 20,
  });
  if (status === 0) return;
  process.stderr.write(stdout ?? '');
  process.stderr.write(stderr ?? '');
  throw new CommandFailed(`${[command, ...args].join(' ')}: failed`);
}

/** What a command prints on stdout, or undefined when it cannot be run or fails. */
export function read(command, args) {
  const { status, stdout } = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, PATH: path, LC_ALL: 'C' },
    maxBuffer: 16 << 20,
  });
  return status === 0 ? stdout : undefined;
}

/** What a command prints on stdout; asks nothing on the way. Throws CommandFailed with its words when it fails. */
export function must(command, args, { cwd } = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, PATH: path, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' },
    maxBuffer: 64 << 20,
  });
  if (status === 0) return stdout;
  throw new CommandFailed(`${[command, ...args].join(' ')}: ${error?.message ?? stderr.trim().slice(-2000)}`);
}

/** The path of a program that came with the npm packages. */
export function npmProgram(name) {
  return join(root, 'node_modules', '.bin', name);
}

export function isRoot() {
  return process.geteuid() === 0;
}

/** Runs the main function of a script; says why it failed without a stack trace of ours. */
export async function main(body) {
  try {
    await body();
  } catch (error) {
    if (!(error instanceof CommandFailed || error instanceof Stop)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = error.exitCode ?? 1;
  }
}

/** Ends a script with a message for people. */
export class Stop extends Error {
  constructor(message, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}
