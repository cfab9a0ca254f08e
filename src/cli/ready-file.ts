import { accessSync, constants, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { performance } from 'node:perf_hooks'; // the global one would load it once all is attached
import { TracerError } from '../errors.js';

/**
 * A file that exists as long as rpftrace is attached. It appears whole: {"pid":1,"attached_ms":93.1}, milliseconds since
 * the process started. One that a killed process has left is removed at the start.
 */
export class ReadyFile {
  readonly #path: string | undefined;

  /** Removes a stale one. Throws E_OUTPUT, also when it could not be written later. */
  constructor(path: string | undefined) {
    this.#path = path;
    this.remove();
    if (path !== undefined) attempt(path, () => accessSync(dirname(path), constants.W_OK | constants.X_OK));
  }

  /** Throws E_OUTPUT. */
  write(): void {
    const path = this.#path;
    if (path === undefined) return;
    const content = { pid: process.pid, attached_ms: Math.round(performance.now() * 10) / 10 };
    attempt(path, () => {
      writeFileSync(`${path}.${process.pid}`, `${JSON.stringify(content)}\n`);
      renameSync(`${path}.${process.pid}`, path);
    });
  }

  remove(): void {
    const path = this.#path;
    if (path !== undefined) attempt(path, () => rmSync(path, { force: true }));
  }
}

function attempt(path: string, action: () => void): void {
  try {
    action();
  } catch (error) {
    throw new TracerError('E_OUTPUT', `cannot write the ready file ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
