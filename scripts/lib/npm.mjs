import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, run, Stop } from './command.mjs';

const oldestNode = [20, 19];

/** Runs `npm ci` when node_modules is not what package-lock.json says. Returns whether it had to. */
export function installNpmPackages() {
  if (isInstalled()) return false;
  run('npm', ['ci', '--no-audit', '--no-fund']);
  return true;
}

/** Stops on a Node that is too old before anything else fails in a way that hides the reason. */
export function requireNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1])) return;
  throw new Stop(
    `Node ${process.versions.node} is too old: rpftrace needs ${oldestNode.join('.')} or newer`,
    3,
  );
}

/** npm leaves a lock file inside node_modules that lists what it really installed. */
function isInstalled() {
  const wanted = lockedPackages(join(root, 'package-lock.json'));
  const found = lockedPackages(join(root, 'node_modules', '.package-lock.json'));
  if (!found) return false;
  return Object.entries(wanted).every(([path, { optional, version, integrity }]) => {
    if (path === '' || optional) return true; // optional packages are those of other platforms
    return found[path]?.version === version && found[path]?.integrity === integrity;
  });
}

function lockedPackages(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages;
  } catch {
    return undefined;
  }
}
