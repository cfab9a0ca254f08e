import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Suites } from '../../../scripts/lib/apt.mjs';
import { root, run } from '../../../scripts/lib/command.mjs';
import { installDebianPackages } from '../../../scripts/lib/debian.mjs';
import { ARCHES } from '../lib/arch.mjs';
import { kernel } from '../lib/kernel.mjs';
import { qemu } from '../lib/qemu.mjs';
import { rootImage } from '../lib/root.mjs';

/**
 * Fetches and builds what machines with these kernels need. Returns why this computer cannot have it, or undefined when all is
 * there. Only what is shown counts as a reason: where Debian's archive answers, what went wrong is thrown.
 */
export async function prepare(names, { arch, update = false }) {
  if (arch === 'x64' && process.arch !== 'x64')
    return `the machines are x86-64, and what was built here is for ${process.arch}`;
  try {
    installDebianPackages(['vm', ARCHES[arch].qemu.group]);
    await qemu(arch);
    await rootImage(arch);
    for (const name of names) await kernel(name, { arch, update });
    bringUpToDate(arch);
    return undefined;
  } catch (error) {
    const why = whyNoArchive();
    if (why === undefined) throw error;
    return why;
  }
}

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
