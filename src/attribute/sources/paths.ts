import { stat } from 'node:fs/promises';

/** Where something may be. */
export interface Places {
  readonly paths: readonly string[];
  /** In words, for those who wonder where it was looked. */
  readonly words: string;
}

/** Exactly there. */
export function place(path: string): Places {
  return { paths: [path], words: path };
}

/**
 * Where paths of the node are found: as they are, below /host (a mount that many DaemonSets have), or below the root of the
 * node's first process (hostPID).
 */
export function placesOnNode(...paths: readonly string[]): Places {
  const below = NODE_ROOTS.join(' or ');
  return { paths: paths.flatMap(onNode), words: `${paths.join(', ')}, nor below ${below}` };
}

export function onNode(path: string): string[] {
  return ['', ...NODE_ROOTS].map((root) => `${root}${path}`);
}

const FIRST_PROCESS = '/proc/1/root';
const NODE_ROOTS = ['/host', FIRST_PROCESS];

/** Those of these that are there. */
export async function allThere({ paths }: Places): Promise<string[]> {
  const there = await Promise.all(paths.map(exists));
  return paths.filter((_path, at) => there[at]);
}

/**
 * A path that may not be looked at counts: what comes next says why. But not below the root of another process, where it is
 * that root which may not be looked at: there may be nothing at all.
 */
async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code === 'EACCES' && !path.startsWith(FIRST_PROCESS),
  );
}
