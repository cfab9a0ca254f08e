import { cpSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cached } from '../../../scripts/lib/cache.mjs';
import { read, Stop } from '../../../scripts/lib/command.mjs';
import { unpack } from '../../../scripts/lib/unpacked.mjs';
import { ARCHES, forArch } from './arch.mjs';

/**
 * The command of a QEMU that can emulate a kernel which patches its own text (kprobes, trampolines): before version 8 such
 * guests die. Debian 12 has 7.2, so there the one of its backports is fetched.
 */
export async function qemu(arch = 'x64') {
  const { command, packages, group } = ARCHES[arch].qemu;
  const version = /version (\d+)/.exec(read(command, ['--version']) ?? '')?.[1];
  if (version === undefined) throw new Stop(`no ${command}; on Debian: npm run setup -- ${group}`, 3);
  if (Number(version) >= OLDEST) return [command];
  const release = /^VERSION_CODENAME=(.*)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  const directory = await cached(join('qemu', forArch(`${release}-backports`, arch)), (made, scratch) => {
    unpack(`${release}-backports`, packages, scratch, scratch);
    const wanted = [`usr/bin/${command}`, 'usr/share/qemu', 'usr/share/seabios'];
    for (const path of wanted.filter((name) => existsSync(join(scratch, name))))
      cpSync(join(scratch, path), join(made, path), { recursive: true, verbatimSymlinks: true });
  });
  const share = join(directory, 'usr', 'share');
  return [
    join(directory, 'usr/bin', command),
    ...['seabios', 'qemu'].flatMap((name) => ['-L', join(share, name)]),
  ];
}

const OLDEST = 8;
