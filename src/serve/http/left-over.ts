import { chmodSync, lstatSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { TracerError } from '../../errors.js';

/**
 * Takes away the socket file of a server that was killed. Throws E_LISTEN where one still listens, it is
 * no socket, or its folder cannot be made.
 */
export async function clearSocket(path: string): Promise<void> {
  makeFolder(dirname(path));
  const status = lstatSync(path, { throwIfNoEntry: false });
  if (status === undefined) return;
  if (!status.isSocket()) {
    throw new TracerError('E_LISTEN', `${path} is there and is no socket`, {
      remedies: ['remove it, or give another path: --listen unix:PATH'],
    });
  }
  if (await isServed(path)) throw new TracerError('E_LISTEN', `another server listens on ${path}`);
  rmSync(path, { force: true });
}

function makeFolder(path: string): void {
  try {
    // Where mkdir() itself is refused, what is there already will do.
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
    mkdirSync(path, { recursive: true, mode: 0o755 });
  } catch (error) {
    throw new TracerError('E_LISTEN', `${path} is no folder for a socket: ${(error as Error).message}`, {
      remedies: ['give another path: --listen unix:PATH'],
      cause: error,
    });
  }
}

/** Only its owner, root mostly, may read what packets the machine drops. */
export function protectSocket(path: string, mode: number): void {
  chmodSync(path, mode);
}

function isServed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'));
  });
}
