import { stat } from 'node:fs/promises';

/**
 * Where a path of the node is found: as it is, below /host (a mount that many DaemonSets have), or below the root of the
 * node's first process (hostPID).
 */
export function onNode(path: string): string[] {
  return NODE_ROOTS.map((root) => `${root}${path}`);
}

const NODE_ROOTS = ['', '/host', '/proc/1/root'];

/** The first of these that is there. */
export async function firstOf(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    if (await exists(path)) return path;
  }
  return undefined;
}

/** A path that may not be looked at counts: what comes next says why. */
async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code === 'EACCES',
  );
}
