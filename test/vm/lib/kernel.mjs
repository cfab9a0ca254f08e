import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Suites } from '../../../scripts/lib/apt.mjs';
import { cached, forget } from '../../../scripts/lib/cache.mjs';
import { must, read, Stop } from '../../../scripts/lib/command.mjs';
import { ARCHES, forArch } from './arch.mjs';
import { erofs } from './root.mjs';
import { unpackKernel } from './vmlinux.mjs';

/** Debian's kernels, oldest first, by where the newest build of each is. */
export const KERNELS = {
  '5.10': ['bullseye-security'],
  6.1: ['bookworm', 'bookworm-security'],
  6.12: ['trixie', 'trixie-security'],
  newest: ['trixie-backports'],
};

/**
 * A kernel that can be booted: {release, vmlinux, modules (an image), boot (modules that the root needs, in order)}. Fetched and
 * unpacked where it is not in the cache: half a minute. `update` looks for a newer build.
 */
export async function kernel(name, { arch = 'x64', update = false } = {}) {
  const suites = KERNELS[name];
  if (!suites) throw new Stop(`no kernel '${name}'; there are ${Object.keys(KERNELS).join(', ')}`, 2);
  const place = join('kernels', forArch(name, arch));
  if (update) forget(place);
  const directory = await cached(place, (made, scratch) => build(made, scratch, suites, ARCHES[arch].debian));
  return {
    release: readFileSync(join(directory, 'release'), 'utf8'),
    vmlinux: join(directory, 'vmlinux'),
    modules: join(directory, 'modules.erofs'),
    boot: join(directory, 'boot'),
  };
}

function build(made, scratch, suites, arch) {
  const files = join(scratch, 'files');
  const release = fetch(new Suites(join(scratch, 'apt'), suites, arch), files, arch);
  writeFileSync(join(made, 'release'), release);
  const image = findKernel(files, release);
  if (arch === 'amd64') unpackKernel(image, join(made, 'vmlinux'));
  else cpSync(image, join(made, 'vmlinux')); // QEMU unpacks it

  const modules = join(scratch, 'modules');
  copyModules(findModules(files, release), join(modules, release));
  const base = join(scratch, 'base');
  mkdirSync(join(base, 'lib'), { recursive: true });
  cpSync(modules, join(base, 'lib', 'modules'), { recursive: true });
  must('depmod', ['-b', base, release]);
  copyBootModules(base, release, join(made, 'boot'));
  erofs(join(made, 'modules.erofs'), join(base, 'lib', 'modules'));
}

/** Unpacks the packages of the newest kernel and returns its release. */
function fetch(suites, files, arch) {
  suites.update();
  const depends = /^Depends:(.*)$/m.exec(suites.describe(`linux-image-${arch}`))?.[1] ?? '';
  const image = new RegExp(`linux-image-\\d\\S+-${arch}`).exec(depends)?.[0];
  if (!image) throw new Stop(`the archive has no linux-image-${arch} for this release`);
  const release = image.slice('linux-image-'.length);
  // Since v7 Debian has the parts of a kernel in packages of their own.
  const parts = [image, ...['base', 'binary', 'modules'].map((part) => `linux-${part}-${release}`)];
  for (const name of parts.filter((part) => suites.describe(part) !== '')) {
    const file = suites.download(name);
    must('dpkg', ['-x', file, files]);
    rmSync(file);
  }
  return release;
}

function findKernel(files, release) {
  const places = [
    `boot/vmlinuz-${release}`,
    `usr/lib/modules/${release}/vmlinuz`,
    `lib/modules/${release}/vmlinuz`,
  ];
  return find(files, places, 'kernel');
}

function findModules(files, release) {
  return find(files, [`lib/modules/${release}`, `usr/lib/modules/${release}`], 'modules');
}

function find(files, places, what) {
  const found = places.map((place) => join(files, place)).find((path) => existsSync(path));
  if (!found) throw new Stop(`the packages hold no ${what} in ${places.join(', ')}`);
  return found;
}

/** The modules that networks, file systems of the guest and virtual devices need, uncompressed. */
function copyModules(from, to) {
  const all = readdirSync(join(from, 'kernel'), { recursive: true, encoding: 'utf8' });
  const wanted = all.filter((file) => /\.ko(\.xz)?$/.test(file) && WANTED.test(file));
  for (const file of wanted)
    cpSync(join(from, 'kernel', file), join(to, 'kernel', file), { recursive: true });
  const packed = wanted.filter((file) => file.endsWith('.xz')).map((file) => join(to, 'kernel', file));
  for (let at = 0; at < packed.length; at += 500) must('xz', ['-d', ...packed.slice(at, at + 500)]);
  for (const name of ['modules.builtin', 'modules.builtin.modinfo', 'modules.order'])
    cpSync(join(from, name), join(to, name));
  const order = readFileSync(join(to, 'modules.order'), 'utf8');
  writeFileSync(join(to, 'modules.order'), order.replaceAll('.ko.xz', '.ko'));
}

/** What is loaded before the root is there, with what these modules depend on, numbered in their order. */
function copyBootModules(base, release, to) {
  mkdirSync(to);
  const lines = BOOT.flatMap((name) =>
    (read('modprobe', ['-d', base, '-S', release, '--show-depends', name]) ?? '').split('\n'),
  );
  const paths = new Set(lines.flatMap((line) => /^insmod (\S+)/.exec(line)?.[1] ?? []));
  [...paths].forEach((path, number) => {
    cpSync(path, join(to, `${String(number).padStart(2, '0')}-${basename(path)}`));
  });
}

const WANTED =
  /^(net|lib|crypto|arch)\/|^fs\/(9p|netfs|fscache|overlayfs|erofs)\/|^drivers\/(virtio|block)\/|^drivers\/net\/([^/]*$|vxlan\/|netkit)|^drivers\/char\/(virtio_console|hw_random\/virtio)/;
const BOOT = ['virtio_pci', 'virtio_blk', 'erofs', 'overlay', '9pnet_virtio', '9p', 'virtio_console'];
