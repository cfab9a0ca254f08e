import { inodeOf } from '../if-there.js';

/** Inode number of this process's network namespace; undefined where /proc does not tell. */
export function readOwnNetns(): number | undefined {
  return inodeOf('/proc/self/ns/net');
}
