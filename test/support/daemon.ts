import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';

export interface DaemonOptions {
  /** Takes what it prints. */
  readonly log: string;
  /** Whether it does what it is for. */
  readonly isReady: () => Promise<boolean>;
  /** How long that may take. */
  readonly withinMs?: number;
}

/** A program that runs until it is stopped. */
export class Daemon {
  readonly #child: ChildProcess;
  readonly #log: string;

  private constructor(child: ChildProcess, log: string) {
    this.#child = child;
    this.#log = log;
  }

  /** Resolves when it is ready. Throws the end of what it printed when it is not in time. */
  static async start([command = '', ...args]: readonly string[], options: DaemonOptions): Promise<Daemon> {
    const log = createWriteStream(options.log, { flags: 'a' });
    await once(log, 'open');
    const child = spawn(command, args, { stdio: ['ignore', log, log], detached: true });
    log.close();
    const daemon = new Daemon(child, options.log);
    try {
      await daemon.#ready(options);
      return daemon;
    } catch (error) {
      await daemon.stop('SIGKILL');
      throw error;
    }
  }

  /** Idempotent. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.#hasEnded) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill(signal);
    const late = setTimeout(() => this.#child.kill('SIGKILL'), STOPPED_WITHIN_MS);
    await ended;
    clearTimeout(late);
  }

  get #hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  async #ready({ isReady, withinMs = READY_WITHIN_MS }: DaemonOptions): Promise<void> {
    const deadline = Date.now() + withinMs;
    while (!(await isReady())) {
      if (this.#hasEnded || Date.now() > deadline) {
        const words = (await readFile(this.#log, 'utf8')).slice(-MAX_WORDS);
        throw new Error(`${this.#child.spawnargs.join(' ')} is not ready: ${words}`);
      }
      await pause(100);
    }
  }
}

const READY_WITHIN_MS = 90_000;
const STOPPED_WITHIN_MS = 10_000;
const MAX_WORDS = 4000;
