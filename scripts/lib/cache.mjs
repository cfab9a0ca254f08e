import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

/** Where images and roots are kept: some 400 MB for the kernels, never inside of the checkout. */
export const CACHE =
  process.env.RPFTRACE_VM_CACHE ??
  join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'rpftrace', 'vm');

/**
 * The path of something in the cache, built first where it is not there. `build` is called with a new directory and with a
 * directory for what it needs on the way; what it leaves in the first appears in the cache at once or not at all.
 */
export async function cached(name, build) {
  const path = join(CACHE, name);
  if (existsSync(path)) return path;
  mkdirSync(dirname(path), { recursive: true });
  const work = mkdtempSync(`${path}.building-`);
  try {
    const made = join(work, 'made');
    mkdirSync(made);
    mkdirSync(join(work, 'scratch'));
    await build(made, join(work, 'scratch'));
    if (!existsSync(path)) renameSync(made, path);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return path;
}

/** Forgets something, so that it is built again. */
export function forget(name) {
  rmSync(join(CACHE, name), { recursive: true, force: true });
}
