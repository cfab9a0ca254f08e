import { spawn } from 'node:child_process';
import { TracerError } from '../errors.js';

export interface RunOptions {
  /** Given to the command on its standard input. */
  readonly input?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command and returns what it printed. Throws E_LAB with its own words when it fails. */
export async function run(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const result = await attempt(command, args, options);
  if (result.code === 0) return result.stdout;
  throw new TracerError('E_LAB', `${[command, ...args].join(' ')}: ${firstLine(result)}`);
}

/** Runs a command to its end, however it ends. Throws E_LAB when it cannot be started. */
export function attempt(
  command: string,
  args: readonly string[],
  { input = '', signal }: RunOptions = {},
): Promise<Result> {
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...OPTIONS, stdio: 'pipe' });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.stdin.on('error', () => undefined); // it ended without reading all: its exit code tells
    child.on('error', (error) => reject(cannotStart(command, error)));
    child.on('close', (code) => resolve({ code, stdout, stderr }));
    child.stdin.end(input);
  });
}

/**
 * Children are in a session of their own: Ctrl-C reaches the lab, which lets them end and cleans up after them. Debian
 * keeps ip, tc and nft in sbin, which is not in the PATH of everybody.
 */
export const OPTIONS = {
  detached: true,
  env: { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin`, LC_ALL: 'C' },
} as const;

export function cannotStart(command: string, cause: Error): TracerError {
  const isAbsent = (cause as NodeJS.ErrnoException).code === 'ENOENT';
  return new TracerError('E_LAB', `${command}: ${isAbsent ? 'there is no such program' : cause.message}`, {
    remedies: isAbsent ? ['install what the lab needs (Debian: iproute2; the sender: npm run build)'] : [],
    cause,
  });
}

/** What a failed command said first. */
export function firstLine({ code, stderr }: Result): string {
  return stderr.trim().split('\n')[0] || `ended with ${code}`;
}
