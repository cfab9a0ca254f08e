import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, watch } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { StartEvent, StopEvent, TraceEvent } from '../../../src/events.js';

export const root = resolve(import.meta.dirname, '..', '..', '..');
export const program = join(root, 'bin', 'rpftrace');

/** How a process ended, with everything that it printed. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Words before the program: `setpriv`, `capsh` and their likes. */
  readonly under?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** A file descriptor for standard output; by default a pipe that is read at once. */
  readonly stdout?: number;
  /** Where the program is, as seen from `under`. */
  readonly program?: string;
}

/** Runs bin/rpftrace to its end. */
export async function rpftrace(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  return await new Program(args, options).ended;
}

/** Runs `rpftrace trace` and resolves when everything is attached. Rejects when it ends before that. */
export async function startTrace(args: readonly string[], options: RunOptions = {}): Promise<Program> {
  return await startAttached('trace', args, options);
}

/** The same with another command that has a --ready-file. */
export async function startAttached(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Program> {
  const directory = mkdtempSync(join(tmpdir(), 'ready-'));
  const ready = watchFor(directory, 'ready');
  const running = new Program([command, '--ready-file', join(directory, 'ready'), ...args], options);
  try {
    const first = await Promise.race([ready.seen, running.ended]);
    if (first) throw new Error(`rpftrace ended with ${first.code} before it was ready: ${first.stderr}`);
  } finally {
    ready.close();
    rmSync(directory, { recursive: true, force: true });
  }
  return running;
}

/** bin/rpftrace as a child process. */
export class Program {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  #stdout = '';
  #stderr = '';
  #onOutput: () => void = () => undefined;

  constructor(args: readonly string[], options: RunOptions = {}) {
    const [command = program, ...rest] = [...(options.under ?? []), options.program ?? program, ...args];
    this.child = spawn(command, rest, {
      cwd: root,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', options.stdout ?? 'pipe', 'pipe'],
    });
    this.#collect();
    this.ended = new Promise((resolve, reject) => {
      this.child.on('error', reject);
      this.child.on('close', (code, signal) =>
        resolve({ code, signal, stdout: this.#stdout, stderr: this.#stderr }),
      );
    });
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error('the program was not started');
    return this.child.pid;
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Whole lines of NDJSON that have come so far. */
  get events(): TraceEvent[] {
    return parseEvents(this.#stdout);
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Resolves when the process is gone, be its output read or not. */
  get exited(): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    return new Promise((resolve) => {
      this.child.once('exit', (code, signal) => resolve({ code, signal }));
    });
  }

  /** Sends a signal and waits for the end. */
  async stop(signal: NodeJS.Signals = 'SIGINT'): Promise<Ended> {
    this.child.kill(signal);
    return await this.ended;
  }

  /** Resolves when the output satisfies this; rejects when the program ends before. */
  async until(satisfied: (program: Program) => boolean): Promise<void> {
    const seen = new Promise<undefined>((resolve) => {
      this.#onOutput = () => {
        if (!satisfied(this)) return;
        this.#onOutput = () => undefined;
        resolve(undefined);
      };
      this.#onOutput();
    });
    const ended = await Promise.race([seen, this.ended]);
    if (ended && !satisfied(this)) throw new Error(`rpftrace ended with ${ended.code}: ${ended.stderr}`);
  }

  #collect(): void {
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
      this.#onOutput();
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
      this.#onOutput();
    });
  }
}

export function parseEvents(ndjson: string): TraceEvent[] {
  return ndjson
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as TraceEvent);
}

export function readEvents(...files: string[]): TraceEvent[] {
  return files.flatMap((file) => parseEvents(readFileSync(file, 'utf8')));
}

/** Sum of count over the drop events. */
export function emitted(events: readonly TraceEvent[]): number {
  return events.reduce((sum, event) => (event.kind === 'drop' ? sum + event.count : sum), 0);
}

/** Sum of count over the lost events. */
export function lost(events: readonly TraceEvent[]): number {
  return events.reduce(
    (sum, event) => (event.kind === 'lost' && event.where !== 'sysctl' ? sum + event.count : sum),
    0,
  );
}

/** The stop event, which must be the last and the only one. */
export function startOf(events: readonly TraceEvent[]): StartEvent {
  return events[0] as StartEvent;
}

export function stopOf(events: readonly TraceEvent[]): StopEvent {
  const stops = events.filter((event) => event.kind === 'stop');
  const last = events.at(-1);
  if (stops.length !== 1 || last?.kind !== 'stop')
    throw new Error(`no single stop event at the end of ${events.length}`);
  return last;
}

/** Whether this namespace agrees with the kernel's counter; others on the machine come and go while a test runs. */
export function reconciledIn(
  stop: StopEvent,
  namespace: { readonly inode: number },
): boolean | null | undefined {
  return stop.netns.find(({ netns }) => netns === namespace.inode)?.reconciled;
}

function watchFor(directory: string, name: string): { seen: Promise<undefined>; close(): void } {
  let close = (): void => undefined;
  const seen = new Promise<undefined>((resolve) => {
    const watcher = watch(directory, (_type, file) => {
      if (file === name) resolve(undefined);
    });
    close = () => watcher.close();
  });
  return { seen, close };
}
