import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Suites } from '../../../scripts/lib/apt.mjs';
import { cached } from '../../../scripts/lib/cache.mjs';
import { root } from '../../../scripts/lib/command.mjs';
import { unstableRoot } from '../../../scripts/lib/unstable.mjs';

/** What the BPF sources include. */
const HEADERS = ['libbpf-dev', 'linux-libc-dev'];

/**
 * The path of a program that is the newest clang of Debian, whatever this machine's own release has: for CLANG of
 * scripts/build-bpf.mjs. It lies in a root of unstable, which the checkout is mounted into for as long as the compiler runs.
 */
export async function newestClang() {
  const version = newestVersion();
  const directory = await cached(join('clang', `clang-${version}`), (made) => {
    const base = join(made, 'root');
    unstableRoot(base, 'minbase', [`clang-${version}`, ...HEADERS]);
    rmSync(join(base, 'var/cache/apt/archives'), { recursive: true, force: true });
  });
  const program = join(directory, 'clang');
  writeFileSync(program, script(join(directory, 'root'), `clang-${version}`));
  chmodSync(program, 0o755);
  return program;
}

function newestVersion() {
  const scratch = mkdtempSync(join(tmpdir(), 'rpftrace-clang-'));
  try {
    const suites = new Suites(scratch, ['unstable']);
    suites.update();
    return Math.max(
      ...suites
        .names('clang-')
        .flatMap((name) => /^clang-(\d+)$/.exec(name)?.[1] ?? [])
        .map(Number),
    );
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** In a mount namespace of its own: nothing stays mounted. */
function script(base, clang) {
  mkdirSync(join(base, root), { recursive: true });
  return `#!/bin/sh
export BASE='${base}' CHECKOUT='${root}' HERE="$PWD"
exec unshare --mount sh -c '
mount --bind "$CHECKOUT" "$BASE$CHECKOUT"
exec chroot "$BASE" sh -c "cd \\"$HERE\\" && exec \\"\\$@\\"" sh ${clang} "$@"' sh "$@"
`;
}
