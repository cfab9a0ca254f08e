import { archive } from './apt.mjs';
import { must } from './command.mjs';

/**
 * Makes a root of Debian's unstable in `directory`, with these packages and what they depend on: for what no release has yet.
 * Variants are those of mmdebstrap; `extract` only unpacks.
 */
export function unstableRoot(directory, variant, packages) {
  must('mmdebstrap', [
    `--variant=${variant}`,
    '--mode=root',
    `--include=${packages.join(',')}`,
    '--aptopt=APT::Install-Recommends "false"',
    // A mirror that is some days behind is new enough, and signed all the same.
    '--aptopt=Acquire::Check-Valid-Until "false"',
    'unstable',
    directory,
    `deb [signed-by=${KEYS}] ${archive()} unstable main`,
  ]);
}

const KEYS = '/usr/share/keyrings/debian-archive-keyring.gpg';
