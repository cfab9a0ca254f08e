import { statSync } from 'node:fs';

/** Inode number of this process's network namespace; undefined where /proc does not tell. */
export function readOwnNetns(): number | undefined {
  try {
    return statSync('/proc/self/ns/net').ino;
  } catch {
    return undefined;
  }
}
