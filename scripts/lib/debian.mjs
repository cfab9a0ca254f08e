import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isRoot, read, root, runQuietly, Stop } from './command.mjs';

/**
 * Installs the packages of the groups that are missing. Without root, Stop says which and how; on a system without dpkg
 * a warning says what must be there. Returns the packages that it installed.
 */
export function installDebianPackages(groups) {
  const wanted = wantedPackages(groups);
  const installed = installedPackages();
  if (!installed) {
    process.stderr.write(
      `Not a Debian system: the equivalents of these must be installed: ${wanted.join(' ')}\n`,
    );
    return [];
  }
  const missing = wanted.filter((name) => !installed.has(name));
  if (missing.length === 0) return [];
  if (!isRoot()) throw new Stop(missingWithoutRoot(missing), 3);
  process.stderr.write(`Installing Debian packages: ${missing.join(' ')}\n`);
  const quiet = { DEBIAN_FRONTEND: 'noninteractive' };
  runQuietly('apt-get', ['update'], quiet);
  runQuietly('apt-get', ['install', '-y', '--no-install-recommends', ...missing], quiet);
  return missing;
}

/** The packages of the groups that this machine lacks; none where dpkg does not exist. */
export function missingDebianPackages(groups) {
  const installed = installedPackages();
  return installed ? wantedPackages(groups).filter((name) => !installed.has(name)) : [];
}

/** The directory above include/node, when the headers of the running Node lie beside it; else node-gyp downloads them. */
export function nodeHeaders() {
  const prefix = dirname(dirname(process.execPath));
  return existsSync(join(prefix, 'include', 'node', 'node_api.h')) ? prefix : undefined;
}

/** The packages of the groups, with the headers of Debian's Node where these are needed. */
export function wantedPackages(groups) {
  const lists = readGroups();
  const needed =
    groups.includes('build') && nodeIsDebians() && !nodeHeaders() ? [...groups, 'node-headers'] : groups;
  return needed.flatMap((group) => {
    const list = lists.get(group);
    if (!list) throw new Stop(`scripts/debian-packages.txt has no group [${group}]`, 2);
    return list;
  });
}

function readGroups() {
  const groups = new Map();
  let group = [];
  for (const line of readFileSync(join(root, 'scripts', 'debian-packages.txt'), 'utf8').split('\n')) {
    const text = line.replace(/#.*/, '').trim();
    const name = /^\[(.+)\]$/.exec(text)?.[1];
    if (name) {
      group = [];
      groups.set(name, group);
    } else if (text) {
      group.push(text);
    }
  }
  return groups;
}

function installedPackages() {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query fills in these braces
  const list = read('dpkg-query', ['-W', '-f', '${db:Status-Abbrev} ${Package}\n']);
  if (list === undefined) return undefined;
  const installed = list.split('\n').filter((line) => line.startsWith('ii'));
  return new Set(installed.map((line) => line.slice(4).trim()));
}

function nodeIsDebians() {
  return read('dpkg-query', ['-S', process.execPath])?.startsWith('nodejs:') ?? false;
}

function missingWithoutRoot(missing) {
  return [
    `These Debian packages are missing, and installing them needs root: ${missing.join(' ')}`,
    `As root: apt-get install --no-install-recommends ${missing.join(' ')}`,
  ].join('\n');
}
