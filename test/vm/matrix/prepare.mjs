import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Suites } from '../../../scripts/lib/apt.mjs';
import { root, run } from '../../../scripts/lib/command.mjs';
import { installDebianPackages } from '../../../scripts/lib/debian.mjs';
import { ARCHES } from '../lib/arch.mjs';
import { kernel } from '../lib/kernel.mjs';
import { buildLoaders } from '../lib/loader.mjs';
import { qemu } from '../lib/qemu.mjs';
import { rootImage } from '../lib/root.mjs';

/**
 * Fetches and builds what machines with these kernels need. Returns {lack, absent}: why this computer cannot have it, undefined when all is
 * there, and which kernels the archive has no more, with why. Only what is shown counts as a reason: where Debian's archive answers, what went
 * wrong is thrown, a kernel that is gone too unless it `mayLack` some.
 */
export async function prepare(names, { arch, short, update = false, mayLack = false }) {
  if (arch === 'x64' && process.arch !== 'x64')
    return { lack: `the machines are x86-64, and what was built here is for ${process.arch}`, absent: NONE };
  try {
    installDebianPackages(['vm', ARCHES[arch].qemu.group]);
    await qemu(arch);
    await rootImage(arch);
    const absent = new Map();
    for (const name of names) {
      const why = await fetchKernel(name, { arch, update }, mayLack);
      if (why !== undefined) absent.set(name, why);
    }
    bringUpToDate(arch);
    if (arch === process.arch) await buildLoaders({ newest: !short });
    return { absent };
  } catch (error) {
    const lack = whyNoArchive();
    if (lack === undefined) throw error;
    return { lack, absent: NONE };
  }
}

const NONE = new Map();

/** Why a kernel cannot be had, where that may be. Debian takes packages out of its archive that its lists still name. */
async function fetchKernel(name, options, mayLack) {
  try {
    await kernel(name, options);
    return undefined;
  } catch (error) {
    if (!mayLack || !GONE.test(error.message)) throw error;
    return `Debian's archive has its package no more: ${error.message.match(GONE)[0]}`;
  }
}

const GONE = /404 +Not Found|the archive has no linux-image-\S+/;

/** The binaries that the package brings along are tried where there are some. Without them those do that were built for this machine. */
function bringUpToDate(arch) {
  if (arch === process.arch && !existsSync(join(root, 'prebuilds', `linux-${arch}`))) return;
  run(process.execPath, ['scripts/prebuild.mjs', arch]);
}

function whyNoArchive() {
  const directory = mkdtempSync(join(tmpdir(), 'rpftrace-archive-'));
  try {
    const release = /^VERSION_CODENAME=(.*)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
    new Suites(directory, [release]).update();
    return undefined;
  } catch (error) {
    return `Debian's archive cannot be had: ${error.message.replace(/^apt-get .* update: /, '')}`;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
