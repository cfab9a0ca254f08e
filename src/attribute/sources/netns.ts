import { readFile, stat } from 'node:fs/promises';
import { onNode } from './paths.js';

export interface NetnsPlace {
  /** Where it is mounted, as the node sees it. */
  readonly path: string | undefined;
  /** A process in it, by the number that the node knows it by. */
  readonly pid: number | undefined;
  /** What must stand in the cgroup path of that process: in another PID namespace its number is another process's. */
  readonly proof: string;
}

/** Inode number of a network namespace, undefined where it cannot be seen from here. */
export async function netnsInode({ path, pid, proof }: NetnsPlace): Promise<number | undefined> {
  const mounts = path === undefined ? [] : onNode(path);
  for (const mount of mounts) {
    const inode = await inodeOf(mount);
    if (inode !== undefined) return inode;
  }
  return pid !== undefined && (await isInCgroup(pid, proof))
    ? await inodeOf(`/proc/${pid}/ns/net`)
    : undefined;
}

/** A file that is no namespace, such as a mount point that nothing is mounted on any more, has another device number. */
async function inodeOf(path: string): Promise<number | undefined> {
  try {
    const [{ dev, ino }, own] = await Promise.all([stat(path), stat('/proc/self/ns/net')]);
    return dev === own.dev ? ino : undefined;
  } catch {
    return undefined;
  }
}

async function isInCgroup(pid: number, proof: string): Promise<boolean> {
  const text = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '');
  return text.includes(proof);
}
