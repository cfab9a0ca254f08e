import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readIfThere } from './bpf-objects.js';
import { root } from './program.js';

/**
 * Run options for nobody, with these capabilities. The project and node may lie where only root can look, so both are mounted
 * elsewhere, in a mount namespace that ends with the program.
 */
export function asNobody(...capabilities: string[]) {
  const wanted = capabilities.map((capability) => `+${capability}`).join(',');
  const keep = wanted === '' ? [] : [`--inh-caps=${wanted}`, `--ambient-caps=${wanted}`];
  const setpriv = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', ...keep];
  return {
    under: ['unshare', '--mount', 'sh', '-ec', mountAndRun, 'sh', root, process.execPath, ...setpriv],
    program: '/mnt/project/bin/rpftrace',
    env: { PATH: `/mnt:${process.env.PATH ?? ''}` },
  };
}

/** Run options for root without these capabilities. */
export function without(...capabilities: string[]) {
  return {
    under: ['setpriv', `--bounding-set=${capabilities.map((capability) => `-${capability}`).join(',')}`],
  };
}

/** Run options for root with no capabilities but these. */
export function onlyWith(...capabilities: string[]) {
  return {
    under: ['setpriv', `--bounding-set=${['-all', ...capabilities.map((one) => `+${one}`)].join(',')}`],
  };
}

/** What each thread of a process may do. */
export function threadsOf(pid: number) {
  return readdirSync(`/proc/${pid}/task`).flatMap((thread) => {
    const status = readIfThere(`/proc/${pid}/task/${thread}/status`);
    if (status === undefined) return [];
    const field = (name: string) => new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(status)?.[1];
    const set = (name: string) => BigInt(`0x${field(name)}`);
    return {
      effective: set('CapEff'),
      permitted: set('CapPrm'),
      inheritable: set('CapInh'),
      ambient: set('CapAmb'),
      bounding: set('CapBnd'),
      noNewPrivs: field('NoNewPrivs'),
    };
  });
}

/** Run options for a process that does not see this directory: an empty one lies over it. */
export function hiding(directory: string) {
  const script = 'mount -t tmpfs none "$1" && shift && exec "$@"';
  return { under: ['unshare', '--mount', 'sh', '-ec', script, 'sh', directory] };
}

/** Run options for root of a user namespace of its own, as in a rootless container. */
export const rootless = { under: ['unshare', '--user', '--map-root-user'] };

/** False where the kernel or an administrator forbids user namespaces, and in a chroot, where the kernel always does. */
export const canBeRootless = spawnSync('unshare', ['--user', '--map-root-user', 'true']).status === 0;

/** Run options under a seccomp filter that refuses bpf(2), as container engines have it. */
export const withoutBpf = { under: ['python3', join(import.meta.dirname, 'refuse_bpf.py')] };

const mountAndRun = `
  mount -t tmpfs none /mnt
  mkdir /mnt/project && mount --bind "$1" /mnt/project
  touch /mnt/node && mount --bind "$2" /mnt/node
  cd /mnt/project
  shift 2
  exec "$@"
`;
