import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, run, runQuietly } from '../../../scripts/lib/command.mjs';
import { compilerName } from '../../../scripts/lib/instructions.mjs';
import { newestClang } from './clang.mjs';

/**
 * Builds the core's own program, native/test/rpf_dump.c, with the BPF objects as each compiler makes them, in LOADERS/COMPILER: what the
 * matrix finds out with how verifiers take the objects. `newest`: with the newest clang of Debian too, else with this machine's alone.
 */
export async function buildLoaders({ newest }) {
  const clangs = [process.env.CLANG ?? 'clang', ...(newest ? [await newestClang()] : [])];
  mkdirSync(LOADERS, { recursive: true });
  const names = clangs.map((clang) => compilerName(clang).replace(' ', '-'));
  for (const other of readdirSync(LOADERS).filter((name) => !names.includes(name)))
    rmSync(join(LOADERS, other), { recursive: true });
  for (const [at, clang] of clangs.entries()) buildLoader(clang, join(LOADERS, names[at]));
}

/** Inside of the checkout: the newest clang sees nothing else of this machine. */
export const LOADERS = join(root, 'build', 'loaders');

function buildLoader(clang, directory) {
  mkdirSync(directory, { recursive: true });
  run(process.execPath, ['scripts/build-bpf.mjs', join(directory, 'bpf')], { CLANG: clang });
  const sources = [
    'native/test/rpf_dump.c',
    ...readFileSync(join(root, 'native', 'sources.txt'), 'utf8')
      .trim()
      .split('\n'),
    join(directory, 'bpf', 'rpf_bpf_objects.c'),
  ];
  const stamp = join(directory, 'key');
  const key = keyOf(sources);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === key) return;
  rmSync(stamp, { force: true });
  const made = join(directory, 'rpf_dump.new');
  runQuietly('cc', [
    ...['-std=gnu11', '-O1', '-D_GNU_SOURCE', '-pthread'],
    ...['-Inative/include', '-Inative/core', '-Inative/bpf', '-Inative/test'],
    ...sources,
    ...['-o', made, '-lbpf', '-lelf', '-lz', '-lmnl', '-lpcap'],
  ]);
  renameSync(made, join(directory, 'rpf_dump'));
  writeFileSync(stamp, key);
}

/** Headers come with the objects: their layout is part of them. */
function keyOf(sources) {
  const hash = createHash('sha256');
  for (const source of sources) hash.update(readFileSync(join(root, source.replace(`${root}/`, ''))));
  return hash.digest('hex');
}
