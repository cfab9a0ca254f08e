/**
 * Copies what the bundled program still loads from node_modules into a folder:  node scripts/image-modules.mjs TARGET
 *
 * Everything else is in dist/program/ already; with all production dependencies the image would have 100 MB more.
 */
import { cpSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import config from '../rolldown.config.mjs';
import { main, root, Stop } from './lib/command.mjs';

const [target] = process.argv.slice(2);
const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));

await main(() => {
  if (!target) throw new Stop('usage: node scripts/image-modules.mjs TARGET', 2);
  const wanted = Object.keys(packages[''].dependencies).filter((name) =>
    config.external.some((pattern) => pattern.test(name)),
  );
  for (const folder of closure(wanted)) {
    // What lies below it in a node_modules of its own is in the list where it is needed. Types and maps nobody loads.
    const filter = (path) => !/^node_modules$|\.(ts|map)$/.test(basename(path));
    cpSync(join(root, folder), join(target, folder), { recursive: true, filter });
  }
});

/** Folders of these packages and of all that they need, as the lock file has them. */
function closure(names) {
  const folders = new Set();
  const visit = (name, from) => {
    const folder = find(name, from);
    if (folders.has(folder)) return;
    folders.add(folder);
    const next = Object.keys(packages[folder].dependencies ?? {});
    for (const needed of next.filter((one) => !one.startsWith('@types/'))) visit(needed, folder);
  };
  for (const name of names) visit(name, '');
  return folders;
}

/** As Node looks for a package: beside the one that asks, then further up. */
function find(name, from) {
  const folder = join(from, 'node_modules', name);
  if (packages[folder]) return folder;
  if (from === '') throw new Stop(`package-lock.json has no ${name}`);
  return find(name, dirname(from) === '.' ? '' : dirname(from));
}
