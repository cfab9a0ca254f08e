import { textOf } from './if-there.js';

/** Where the cgroup v2 hierarchy is mounted, as this process sees it. The core takes the first. */
export function cgroupMounts(root = '/'): string[] {
  const mounts = (textOf(`${root}proc/self/mounts`) ?? '').split('\n');
  const cgroups = mounts.map((line) => line.split(' ')).filter(([, , type]) => type === 'cgroup2');
  return cgroups.flatMap(([, path]) => (path === undefined ? [] : unescaped(path)));
}

/** Of the hierarchy's own root, fs/kernfs/mount.c. What is mounted in a container is mostly a part of it. */
export const CGROUP_ROOT_INODE = 1;

/** The kernel writes spaces and the like as octal numbers. */
function unescaped(path: string): string {
  return path.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
