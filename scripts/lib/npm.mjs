import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cached } from './cache.mjs';
import { must, root, run, Stop } from './command.mjs';

const oldestNode = [20, 19];

/** For where this machine's own will not do: the newest LTS that starts on a minimal system. From 25 on Node needs libatomic. */
export const NODE = {
  version: '24.21.0',
  integrity: {
    x64: 'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
    arm64: 'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
  },
};

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

/**
 * The folder of a package that only some need, and that is too large for everybody's node_modules. Fetched by npm where it is not
 * in the cache. Stops where it is not, bit by bit, the one that was meant.
 */
export async function fetchPackage(name, version, integrity) {
  return await cached(join('npm', `${name}-${version}`), (made, scratch) =>
    unpackPackage({ name, version, integrity }, made, scratch),
  );
}

/** The same into `directory`, for those who keep only a part of it; `scratch` is for what is needed on the way. */
export function unpackPackage({ name, version, integrity }, directory, scratch) {
  must('npm', ['pack', '--silent', '--pack-destination', scratch, `${name}@${version}`]);
  const tarball = join(scratch, `${name.replace('@', '').replace('/', '-')}-${version}.tgz`);
  const found = `sha512-${createHash('sha512').update(readFileSync(tarball)).digest('base64')}`;
  if (found !== integrity) throw new Stop(`${name}@${version} is not what was expected: ${found}`);
  must('tar', ['xf', tarball, '--strip-components=1', '--no-same-owner', '-C', directory]);
}

/** The folder of a node for an architecture. */
export async function fetchNode(arch) {
  return await fetchPackage(`node-linux-${arch}`, NODE.version, NODE.integrity[arch]);
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
