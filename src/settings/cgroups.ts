import { readdirSync, statSync } from 'node:fs';
import { cgroupMounts } from '../cgroup-mounts.js';

/** Finds cgroups by their id, which is the inode number of their directory below the cgroup v2 root. */
export class Cgroups {
  #root: string | null | undefined;
  /** Found or sought in vain. */
  readonly #paths = new Map<bigint, string | undefined>();

  /** The root is where it is mounted when none is given; null: nowhere. */
  constructor(root?: string | null) {
    this.#root = root;
  }

  /** The path below the root, "/" for the root itself; or why there is none. */
  find(id: bigint): { path: string } | { why: string } {
    if (this.#root === undefined) this.#root = cgroupMounts()[0] ?? null;
    if (this.#root === null) return { why: 'no cgroup v2 hierarchy is mounted here' };
    if (!this.#paths.has(id)) this.#remember(id, search(this.#root, id));
    const path = this.#paths.get(id);
    return path === undefined ? { why: 'the process and its cgroup are gone' } : { path };
  }

  #remember(id: bigint, path: string | undefined): void {
    if (this.#paths.size === MAX_KNOWN) this.#paths.clear();
    this.#paths.set(id, path);
  }
}

/** The path of a process in /proc/PID/cgroup: on cgroup v2, or where that says nothing on the v1 hierarchy that says most. */
export function pathInProc(text: string): string | undefined {
  const paths = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (controllers !== undefined && path !== undefined) paths.set(controllers, path);
  }
  const unified = paths.get('');
  const systemd = paths.get('name=systemd');
  const telling = [unified, systemd, ...paths.values()].filter((path) => path !== undefined && path !== '/');
  return telling[0] ?? unified ?? systemd;
}

/** What the path of a cgroup tells of who lives in it. */
export function describeCgroup(path: string): { systemd_unit?: string; container_id?: string } {
  const parts = path.split('/').filter((part) => part !== '');
  const container = parts.findLast((part) => CONTAINER.test(part));
  const id = container && (CONTAINER.exec(container)?.[1] as string);
  const unit = parts.findLast((part) => UNIT.test(part) && part !== container);
  return {
    ...(unit !== undefined && { systemd_unit: unit }),
    ...(id !== undefined && { container_id: id }),
  };
}

/** Breadth first: services lie near the root. */
function search(root: string, id: bigint): string | undefined {
  if (inodeOf(root) === id) return '/';
  const folders = [''];
  for (let at = 0; at < folders.length && at < MAX_FOLDERS; at++) {
    for (const name of foldersIn(root + folders[at])) {
      const path = `${folders[at]}/${name}`;
      if (inodeOf(root + path) === id) return path;
      folders.push(path);
    }
  }
  return undefined;
}

function foldersIn(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory() ? [entry.name] : [],
    );
  } catch {
    return []; // it is gone
  }
}

function inodeOf(path: string): bigint | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
}

/** cri-containerd-ID.scope, docker-ID.scope, crio-ID.scope, libpod-ID.scope, or the ID alone. */
const CONTAINER = /(?:^|-)([0-9a-f]{64})(?:\.scope)?$/;
const UNIT = /\.(service|scope|socket|mount|swap|timer)$/;
const MAX_KNOWN = 1024;
/** A node with 110 pods has some 500. */
const MAX_FOLDERS = 4096;
