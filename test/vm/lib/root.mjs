import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { archive } from '../../../scripts/lib/apt.mjs';
import { cached } from '../../../scripts/lib/cache.mjs';
import { must } from '../../../scripts/lib/command.mjs';
import { wantedPackages } from '../../../scripts/lib/debian.mjs';
import { ARCHES, forArch } from './arch.mjs';
import { ESSENTIAL, setUpRoot } from './foreign-root.mjs';

/**
 * The image of a Debian of this machine's own release, with all that the program and the lab run: what was built here finds the
 * same libraries there. Returns its path. Takes a minute where it is not in the cache.
 * Of another architecture its busybox lies beside it: a static one, for the first process.
 */
export async function rootImage(arch = 'x64') {
  const foreign = arch === process.arch ? [] : [...ESSENTIAL, 'busybox-static'];
  const packages = [...wantedPackages(['runtime', 'demo']), ...BASE, ...foreign];
  return await debianImage(ownRelease(), packages, { arch });
}

/**
 * The image of a Debian that boots systemd and has the programs that write settings. Nothing of it comes from this machine, so it
 * may be of another release. The package `reinstalled` lies as a file below PACKAGES. Takes a minute or two, 90 MB come over the network.
 */
export async function systemdImage(release, reinstalled) {
  return await debianImage(release, [...wantedPackages(['demo', 'replay']), ...BASE], {
    kept: [reinstalled],
  });
}

/** Where guests find packages as files. */
export const PACKAGES = '/var/cache/apt/archives';

async function debianImage(release, packages, { arch = 'x64', kept = [] }) {
  const isForeign = arch !== process.arch;
  const key = createHash('sha256')
    .update([release, ...packages, ...kept].join(' '))
    .digest('hex')
    .slice(0, 12);
  const directory = await cached(join('roots', forArch(`${release}-${key}`, arch)), (made, scratch) => {
    const root = join(scratch, 'root');
    must('mmdebstrap', [
      isForeign ? '--variant=extract' : '--variant=apt',
      `--architectures=${ARCHES[arch].debian}`,
      '--mode=root',
      '--skip=cleanup/apt/cache',
      `--include=${packages.join(',')}`,
      ...EXCLUDED.map((path) => `--dpkgopt=path-exclude=${path}`),
      '--aptopt=APT::Install-Recommends "false"',
      release,
      root,
      archive(),
    ]);
    rmSync(join(root, 'var/lib/apt/lists'), { recursive: true, force: true });
    keepPackages(join(root, PACKAGES), kept);
    if (isForeign) {
      setUpRoot(root);
      cpSync(join(root, 'bin/busybox'), join(made, 'busybox'));
    }
    for (const path of MOUNTED) mkdirSync(join(root, path), { recursive: true });
    erofs(join(made, 'root.erofs'), root);
  });
  return join(directory, 'root.erofs');
}

/** Of the files of all packages that were installed. */
function keepPackages(directory, names) {
  for (const file of readdirSync(directory))
    if (!names.some((name) => file.startsWith(`${name}_`)))
      rmSync(join(directory, file), { recursive: true });
}

function ownRelease() {
  return /^VERSION_CODENAME=(.*)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
}

/**
 * Packs a directory into an image that every kernel since v5.10 can mount: nothing is compressed. Files keep their times: without,
 * Python compiles all of its own again each time.
 */
export function erofs(image, directory) {
  must('mkfs.erofs', ['--quiet', image, directory]);
}

const BASE = ['bash', 'coreutils', 'mount', 'iputils-ping', 'kmod', 'libstdc++6', 'libcap2-bin', 'python3'];
const EXCLUDED = ['/usr/share/doc/*', '/usr/share/man/*', '/usr/share/locale/*'];
/** What the guest mounts on: run/vm is the control directory, opt/rpftrace the package. */
const MOUNTED = ['run/vm', 'run/netns', 'run/lock', 'share', 'opt/rpftrace', 'mnt/kernel', 'usr/lib/modules'];
