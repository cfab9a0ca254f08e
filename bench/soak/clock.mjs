import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { root, runQuietly } from '../../scripts/lib/command.mjs';

/** The wall clock of one process, which can be set. This machine's stays what it is. */
export class SettableClock {
  /** How often it was set. */
  steps = 0;
  #fd;
  #path;
  #library;

  constructor(scratch) {
    this.#path = join(scratch, 'clock');
    this.#library = join(scratch, 'clock_step.so');
    this.#fd = openSync(this.#path, 'w');
    this.#write(0);
    const source = join(root, 'bench', 'soak', 'clock_step.c');
    runQuietly('cc', ['-shared', '-fPIC', '-O2', '-Wall', '-o', this.#library, source, '-ldl']);
  }

  /** What makes a process live by it. */
  get environment() {
    return { LD_PRELOAD: this.#library, SOAK_CLOCK: this.#path };
  }

  /** Seconds from the true time. */
  set(seconds) {
    this.#write(seconds);
    this.steps++;
  }

  close() {
    closeSync(this.#fd);
  }

  #write(seconds) {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(seconds) * 1_000_000_000n);
    writeSync(this.#fd, bytes, 0, 8, 0);
  }
}
