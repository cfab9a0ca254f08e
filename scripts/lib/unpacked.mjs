import { join } from 'node:path';
import { Suites } from './apt.mjs';
import { cached } from './cache.mjs';
import { must } from './command.mjs';

/**
 * The directory that a package of some suite of Debian is unpacked in, for a program that this machine's own release does not have or
 * has older. Nothing is installed, and nothing that it depends on comes along.
 */
export async function unpacked(suite, name) {
  return await cached(join('unpacked', `${suite}-${name}`), (made, scratch) =>
    unpack(suite, [name], made, scratch),
  );
}

/** Unpacks packages into `directory`; `scratch` is for what is needed on the way. */
export function unpack(suite, names, directory, scratch) {
  const suites = new Suites(join(scratch, 'apt'), [suite]);
  suites.update();
  for (const name of names) must('dpkg', ['-x', suites.download(name), directory]);
}
