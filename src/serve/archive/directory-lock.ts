import { closeSync, mkdirSync, openSync } from 'node:fs';
import { TracerError } from '../../errors.js';
import type { NativeAddon } from '../../native.js';
import { cannotKeep } from './cannot-keep.js';

export interface DirectoryLockOptions {
  readonly addon: Pick<NativeAddon, 'lock'>;
  readonly directory: string;
  readonly note: (text: string) => void;
}

/**
 * One folder belongs to one server: a second one would cut off what the first one writes. The kernel takes the lock from a
 * server that is killed, and holds it between containers too.
 */
export class DirectoryLock {
  #fd: number | undefined;

  /** Makes the folder. Throws E_OUTPUT. */
  constructor({ addon, directory, note }: DirectoryLockOptions) {
    const fd = openDirectory(directory);
    this.#fd = fd;
    if (isFree(() => addon.lock(fd), note)) return;
    this.release();
    throw new TracerError('E_OUTPUT', `another server keeps its history in ${directory}`, {
      remedies: [
        `see who it is: lsof ${directory}`,
        'or give this one a folder of its own: --history-dir DIR',
      ],
    });
  }

  release(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}

/** Where the file system has no locks nobody can know. */
function isFree(lock: () => boolean, note: (text: string) => void): boolean {
  try {
    return lock();
  } catch (error) {
    note(`history: nothing keeps a second server out of its folder: ${(error as Error).message}`);
    return true;
  }
}

function openDirectory(directory: string): number {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o750 });
    return openSync(directory, 'r');
  } catch (error) {
    throw cannotKeep(directory, error as Error);
  }
}
