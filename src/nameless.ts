import { accessSync, closeSync, constants, openSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname } from 'node:path';
import { TracerError } from './errors.js';

/**
 * The path of a copy of some bytes that can be executed, in a file without a name: nobody else can open, replace or foresee it, and
 * it is gone when this process is, however that ends. Throws E_NO_PLACE, which says what was tried.
 */
export function namelessCopy(bytes: Uint8Array, folders: readonly string[] = FOLDERS): string {
  const tried: string[] = [];
  for (const folder of folders) {
    try {
      return copyInto(folder, bytes);
    } catch (error) {
      tried.push(`  ${folder}: ${(error as Error).message}`);
    }
  }
  throw new TracerError(
    'E_NO_PLACE',
    `no folder takes the binaries that are inside of ${process.execPath}; tried\n${tried.join('\n')}`,
  );
}

/** Memory first: nothing is written to a disk of the node. The program's own folder is one that programs may run from. */
const FOLDERS = ['/dev/shm', '/run', dirname(process.execPath), tmpdir(), '/var/tmp'];

/** Node has no name for it; the number is the same on x86-64 and arm64 (include/uapi/asm-generic/fcntl.h). */
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY;

function copyInto(folder: string, bytes: Uint8Array): string {
  // O_EXCL: it can never be given a name.
  const writer = openSync(folder, O_TMPFILE | constants.O_EXCL | constants.O_RDWR, 0o700);
  try {
    writeFileSync(writer, bytes);
    // Refused where the folder's file system is mounted noexec.
    accessSync(pathOf(writer), constants.X_OK);
    // What is open for writing cannot be executed.
    return pathOf(openSync(pathOf(writer), constants.O_RDONLY));
  } finally {
    closeSync(writer);
  }
}

/** Not below /proc/self: what we start finds the file, too. */
function pathOf(descriptor: number): string {
  return `/proc/${process.pid}/fd/${descriptor}`;
}
