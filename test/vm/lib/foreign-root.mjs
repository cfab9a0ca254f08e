import { existsSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What mmdebstrap leaves out when it only unpacks: without these nothing runs. */
export const ESSENTIAL = [
  'base-files',
  'dash',
  'debianutils',
  'findutils',
  'grep',
  'hostname',
  'libc-bin',
  'mawk',
  'sed',
];

/**
 * Does what the packages would have done for the programs of the lab when they were set up, in a root of an architecture whose programs
 * cannot run here.
 */
export function setUpRoot(root) {
  for (const [path, target] of Object.entries(ALTERNATIVES)) {
    if (!existsSync(join(root, path))) symlinkSync(target, join(root, path));
  }
  writeFileSync(
    join(root, 'etc/passwd'),
    'root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/:/bin/false\n',
  );
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\nnogroup:x:65534:\n');
}

const ALTERNATIVES = {
  // Where modprobe looks: the directories of this root are not merged.
  'lib/modules': '../usr/lib/modules',
  'bin/sh': 'dash',
  'usr/bin/awk': 'mawk',
  'usr/sbin/iptables': 'iptables-nft',
  'usr/sbin/ip6tables': 'ip6tables-nft',
};
