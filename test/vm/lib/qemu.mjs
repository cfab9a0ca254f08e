import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Suites } from '../../../scripts/lib/apt.mjs';
import { cached } from '../../../scripts/lib/cache.mjs';
import { must, read, Stop } from '../../../scripts/lib/command.mjs';

/**
 * The command of a QEMU that can emulate a kernel which patches its own text (kprobes, trampolines): before version 8 such
 * guests die. Debian 12 has 7.2, so there the one of its backports is fetched.
 */
export async function qemu() {
  const version = /version (\d+)/.exec(read('qemu-system-x86_64', ['--version']) ?? '')?.[1];
  if (version === undefined) throw new Stop('no qemu-system-x86_64; on Debian: npm run setup -- vm', 3);
  if (Number(version) >= OLDEST) return ['qemu-system-x86_64'];
  const release = /^VERSION_CODENAME=(.*)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  const directory = await cached(join('qemu', `${release}-backports`), (made, scratch) => {
    const suites = new Suites(join(scratch, 'apt'), [`${release}-backports`]);
    suites.update();
    for (const name of ['qemu-system-x86', 'qemu-system-data', 'seabios'])
      must('dpkg', ['-x', suites.download(name), scratch]);
    for (const path of ['usr/bin/qemu-system-x86_64', 'usr/share/qemu', 'usr/share/seabios'])
      cpSync(join(scratch, path), join(made, path), { recursive: true, verbatimSymlinks: true });
  });
  const share = join(directory, 'usr', 'share');
  return [
    join(directory, 'usr/bin/qemu-system-x86_64'),
    '-L',
    join(share, 'seabios'),
    '-L',
    join(share, 'qemu'),
  ];
}

const OLDEST = 8;
