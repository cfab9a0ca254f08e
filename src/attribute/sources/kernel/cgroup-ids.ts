import { existsSync, statSync } from 'node:fs';
import { CGROUP_ROOT_INODE, cgroupMounts } from '../../../cgroup-mounts.js';
import { onNode } from '../paths.js';

/** Ids of cgroups v2, which are the inode numbers of their folders. One for each walk over the processes. */
export class CgroupIds {
  readonly #root: string | undefined;
  readonly #ids = new Map<string, number | undefined>();

  /** The root of the hierarchy is looked for where none is given. */
  constructor(root = findRoot()) {
    this.#root = root;
  }

  /** `text` is a process's /proc/PID/cgroup. undefined: it is in none but the root, or its cgroup cannot be seen from here. */
  idOf(text: string): number | undefined {
    const path = UNIFIED.exec(text)?.[1];
    if (path === undefined || this.#root === undefined || path.startsWith('..')) return undefined;
    if (!this.#ids.has(path)) this.#ids.set(path, inodeOf(`${this.#root}/${path}`));
    return this.#ids.get(path);
  }
}

/** The whole of it: below a part of it, paths mean something else. */
function findRoot(): string | undefined {
  const places = [...cgroupMounts(), ...onNode('/sys/fs/cgroup'), ...onNode('/sys/fs/cgroup/unified')];
  return places.find(
    (place) => inodeOf(place) === CGROUP_ROOT_INODE && existsSync(`${place}/cgroup.controllers`),
  );
}

function inodeOf(path: string): number | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })?.ino;
  } catch {
    return undefined;
  }
}

/** Without the slash that it begins with; those in the root are not looked for. */
const UNIFIED = /^0::\/(.+)$/m;
