/**
 * Builds the image of the Dockerfile where no registry of images can be reached:  npm run image
 *
 * build/image/rpftrace.tar is what `docker load` and `ctr images import` take. Instead of debian:trixie-slim it begins with the
 * same made by mmdebstrap, and the build with one that has its Debian packages already: both are kept for the next time. Needs
 * root, buildah and Debian's archive. What is up to date is not built again.
 */
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { archive } from './lib/apt.mjs';
import { cached } from './lib/cache.mjs';
import { isRoot, main, must, read, root, runQuietly, Stop } from './lib/command.mjs';
import { wantedPackages } from './lib/debian.mjs';

const RELEASE = 'trixie';
const BASE = `docker.io/library/debian:${RELEASE}-slim`;
const BUILD_BASE = 'localhost/rpftrace-build';
const OUTPUT = join(root, 'build', 'image');
const ARCHIVE = join(OUTPUT, 'rpftrace.tar');
/** Of the package names in the Dockerfile's first step. */
const TOOLS = ['nodejs', 'npm', 'libcap2-bin', 'ca-certificates'];
/** What Debian's own slim images leave out: all documents but the copyrights. */
const SLIM = [
  ...['doc', 'groff', 'info', 'linda', 'lintian', 'locale', 'man'].map(
    (folder) => `path-exclude=/usr/share/${folder}/*`,
  ),
  'path-include=/usr/share/doc/*/copyright',
];

await main(async () => {
  if (!isRoot()) throw new Stop('building the image needs root: it makes root file systems', 3);
  const stamp = join(OUTPUT, 'built');
  const sources = fingerprint();
  if (existsSync(ARCHIVE) && existsSync(stamp) && readFileSync(stamp, 'utf8') === sources) return;
  mkdirSync(OUTPUT, { recursive: true });
  const work = mkdtempSync(join(tmpdir(), 'rpftrace-image-'));
  try {
    await build(work);
    writeFileSync(stamp, sources);
    process.stderr.write(`built ${ARCHIVE}\n`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
});

async function build(work) {
  const storage = storageIn(work);
  const buildah = (...words) => runQuietly('buildah', [...storage, ...words], { TMPDIR: work });
  importRoot(buildah, BASE, await baseRoot([]));
  importRoot(buildah, BUILD_BASE, await baseRoot([...TOOLS, ...wantedPackages(['build', 'node-headers'])]), [
    ...npmConfiguration(work),
  ]);
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const image = `docker.io/library/rpftrace:${version}`;
  buildah(
    ...['bud', '--isolation', 'chroot', '--pull-never', '--format', 'docker', '--tag', image],
    ...['--build-arg', `BASE=${BASE}`, '--build-arg', `BUILD_BASE=${BUILD_BASE}`],
    ...['--build-arg', `VERSION=${version}`, root],
  );
  const made = join(work, 'rpftrace.tar');
  buildah('push', image, `docker-archive:${made}:${image}`);
  copyFileSync(made, `${ARCHIVE}.new`);
  renameSync(`${ARCHIVE}.new`, ARCHIVE);
}

/** Where buildah keeps images and containers. With overlay nothing is copied, but in many containers it cannot be used. */
function storageIn(work) {
  const words = ['--root', join(work, 'storage'), '--runroot', join(work, 'run'), '--storage-driver'];
  const canOverlay = read('buildah', [...words, 'overlay', 'info']) !== undefined;
  if (!canOverlay) rmSync(join(work, 'storage'), { recursive: true, force: true });
  return [...words, canOverlay ? 'overlay' : 'vfs'];
}

/** A Debian with these packages and what cannot be left out, as a tar file. */
async function baseRoot(packages) {
  const key = createHash('sha256')
    .update([RELEASE, ...SLIM, ...packages].join('\n'))
    .digest('hex')
    .slice(0, 12);
  const directory = await cached(join('image-roots', `${RELEASE}-${key}`), (made) => {
    const options = [
      '--quiet',
      '--variant=minbase',
      '--mode=root',
      ...SLIM.map((option) => `--dpkgopt=${option}`),
    ];
    if (packages.length > 0) options.push(`--include=${packages.join(',')}`);
    must('mmdebstrap', [...options, RELEASE, join(made, 'root.tar'), archive()]);
  });
  return join(directory, 'root.tar');
}

/** `files`: pairs of a path here and one inside. */
function importRoot(buildah, name, tar, files = []) {
  const container = `${name.replaceAll(/\W/g, '-')}-import`;
  buildah('from', '--name', container, 'scratch');
  buildah('add', container, tar, '/');
  for (const [from, to] of files) buildah('copy', container, from, to);
  buildah('commit', '--rm', container, name);
}

/** Where npm gets packages from here. It stays in the stage that builds: nothing of it is in the image. */
function npmConfiguration(work) {
  const get = (name) => must('npm', ['config', 'get', name]).trim();
  const authority = get('cafile');
  const files = authority === 'null' ? [] : [[authority, '/root/npm-authorities.crt']];
  const lines = [`registry=${get('registry')}`, ...files.map(([, path]) => `cafile=${path}`)];
  const npmrc = join(work, 'npmrc');
  writeFileSync(npmrc, lines.join('\n'));
  return [...files, [npmrc, '/root/.npmrc']];
}

/** Of all that goes into the build, as .dockerignore lists it. */
function fingerprint() {
  const hash = createHash('sha256');
  for (const path of ['Dockerfile', '.dockerignore', 'scripts/image.mjs', ...allowed()]) addPath(hash, path);
  return hash.digest('hex');
}

function allowed() {
  const lines = readFileSync(join(root, '.dockerignore'), 'utf8').split('\n');
  return lines.filter((line) => line.startsWith('!')).map((line) => line.slice(1));
}

function addPath(hash, path) {
  if (!statSync(join(root, path)).isDirectory()) {
    hash.update(path).update(readFileSync(join(root, path)));
    return;
  }
  for (const name of readdirSync(join(root, path)).sort()) addPath(hash, join(path, name));
}
