import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { archive } from '../../../scripts/lib/apt.mjs';
import { cached } from '../../../scripts/lib/cache.mjs';
import { must } from '../../../scripts/lib/command.mjs';
import { wantedPackages } from '../../../scripts/lib/debian.mjs';

/**
 * The image of a Debian of this machine's own release, with all that the program and the lab run: what was built here finds the
 * same libraries there. Returns its path. Takes a minute where it is not in the cache.
 */
export async function rootImage() {
  const release = /^VERSION_CODENAME=(.*)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  const packages = [...wantedPackages(['runtime', 'demo']), ...BASE];
  const key = createHash('sha256')
    .update([release, ...packages].join(' '))
    .digest('hex')
    .slice(0, 12);
  const directory = await cached(join('roots', `${release}-${key}`), (made, scratch) => {
    const root = join(scratch, 'root');
    must('mmdebstrap', [
      '--variant=apt',
      '--mode=root',
      `--include=${packages.join(',')}`,
      ...EXCLUDED.map((path) => `--dpkgopt=path-exclude=${path}`),
      '--aptopt=APT::Install-Recommends "false"',
      release,
      root,
      archive(),
    ]);
    for (const path of ['var/cache/apt/archives', 'var/lib/apt/lists'])
      rmSync(join(root, path), { recursive: true, force: true });
    for (const path of MOUNTED) mkdirSync(join(root, path), { recursive: true });
    erofs(join(made, 'root.erofs'), root);
  });
  return join(directory, 'root.erofs');
}

/** Packs a directory into an image that every kernel since v5.10 can mount: nothing is compressed. */
export function erofs(image, directory) {
  must('mkfs.erofs', ['--quiet', '-T0', image, directory]);
}

const BASE = ['bash', 'coreutils', 'mount', 'iputils-ping', 'kmod', 'libstdc++6', 'libcap2-bin', 'python3'];
const EXCLUDED = ['/usr/share/doc/*', '/usr/share/man/*', '/usr/share/locale/*'];
/** What the guest mounts on: run/vm is the control directory, opt/rpftrace the package. */
const MOUNTED = ['run/vm', 'run/netns', 'run/lock', 'share', 'opt/rpftrace', 'mnt/kernel', 'usr/lib/modules'];
