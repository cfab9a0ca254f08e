import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { CACHE, cached } from '../../../scripts/lib/cache.mjs';
import { must, root } from '../../../scripts/lib/command.mjs';
import { fetchNode } from '../../../scripts/lib/npm.mjs';
import { forArch } from './arch.mjs';
import { erofs } from './root.mjs';

/**
 * The image of the package as `npm pack` makes it of the build that is there, with what it depends on and the node that runs
 * this; of another architecture one of the npm registry. Returns its path. Older ones are removed.
 */
export async function packageImage(arch = 'x64') {
  const node = await nodeFor(arch);
  const name = forArch(`package-${fingerprint(arch, node)}`, arch);
  const directory = await cached(join('packages', name), (made, scratch) => {
    const package_ = join(scratch, 'image', 'package');
    mkdirSync(package_, { recursive: true });
    for (const file of packedFiles(arch)) copy(file, package_);
    for (const dependency of dependencies()) copy(dependency, package_);
    copy(GUEST, package_);
    pack(made, join(scratch, 'image'), node);
  });
  forgetOld(name);
  return join(directory, IMAGE);
}

/**
 * The image of a folder that this file of a package was installed in with npm: no script runs then, so nothing can be compiled. The
 * guest's scripts lie beside it.
 */
export async function installedImage(tarball) {
  const hash = createHash('sha256').update(readFileSync(tarball));
  const name = `installed-${addRun(hash, process.execPath).digest('hex').slice(0, 12)}`;
  const directory = await cached(join('packages', name), (made, scratch) => {
    const folder = join(scratch, 'image', 'package');
    mkdirSync(folder, { recursive: true });
    const options = ['--no-audit', '--no-fund', '--ignore-scripts', '--prefix', folder];
    must('npm', ['install', ...options, tarball], { cwd: folder });
    for (const path of [GUEST, NETLINK_WRITER]) copy(path, folder);
    pack(made, join(scratch, 'image'), process.execPath);
  });
  forgetOld(name);
  return join(directory, IMAGE);
}

/** Names what runs in a guest: two builds with the same name behave alike. Documents are no part of it. */
export function buildName(arch = 'x64') {
  const hash = createHash('sha256');
  for (const path of packedFiles(arch)) if (!path.endsWith('.md')) addFile(hash, path);
  return addRun(hash, process.version).digest('hex').slice(0, 12);
}

const IMAGE = 'package.erofs';
const GUEST = 'test/vm/guest';
/** Sets rp_filter without a write to its file. */
const NETLINK_WRITER = 'test/kernel/support/set_inet_conf.py';

async function nodeFor(arch) {
  if (arch === process.arch) return process.execPath;
  return join(await fetchNode(arch), 'bin', 'node');
}

function pack(made, image, node) {
  mkdirSync(join(image, 'node', 'bin'), { recursive: true });
  cpSync(node, join(image, 'node', 'bin', 'node'), { dereference: true });
  erofs(join(made, IMAGE), image);
}

function forgetOld(name) {
  for (const other of readdirSync(join(CACHE, 'packages'))) {
    const path = join(CACHE, 'packages', other);
    if (other !== name && Date.now() - statSync(path).mtimeMs > OLD_MS) rmSync(path, { recursive: true });
  }
}

/** Another checkout may be using an image that is not ours. */
const OLD_MS = 3_600_000;

function copy(path, to) {
  cpSync(join(root, path), join(to, path), { recursive: true, dereference: true });
}

function packedFiles(arch) {
  const [{ files }] = JSON.parse(
    must('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: root }),
  );
  const packed = files.map(({ path }) => path);
  // Without prebuilt binaries those of this machine do: the guest's root is of its release.
  return packed.some((path) => path.startsWith(`prebuilds/linux-${arch}/`)) ? packed : [...packed, ...BUILT];
}

const BUILT = ['build/Release/rpftrace.node', 'build/Release/rpftrace-send'];

/** The folders below node_modules of what the package needs when it runs. */
function dependencies() {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  return Object.entries(packages)
    .filter(
      ([path, { dev, optional }]) => path !== '' && !dev && !(optional && !existsSync(join(root, path))),
    )
    .map(([path]) => path)
    .filter((path, _at, all) => !all.some((other) => path.startsWith(`${other}/node_modules/`)));
}

function fingerprint(arch, node) {
  const hash = createHash('sha256');
  for (const path of ['package.json', 'package-lock.json', ...packedFiles(arch)]) addFile(hash, path);
  return addRun(hash, node).digest('hex').slice(0, 12);
}

/** What a guest runs beside the package. */
function addRun(hash, node) {
  hash.update(`${process.version} ${node}`);
  for (const name of readdirSync(join(root, GUEST), { recursive: true })) {
    const path = join(GUEST, name);
    if (statSync(join(root, path)).isFile()) addFile(hash, path);
  }
  return hash;
}

function addFile(hash, path) {
  hash.update(basename(path)).update(readFileSync(join(root, path)));
}
