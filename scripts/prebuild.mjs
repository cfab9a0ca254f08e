/**
 * Builds the binaries that the package brings along:  npm run prebuilds -- [x64] [arm64]
 *
 * prebuilds/linux-ARCH/ gets the addon, the lab's sender and the shared libraries that the addon needs beside glibc. All of it is
 * built in a root of Debian 11, so that it runs wherever glibc is 2.31 or newer. Needs root, mmdebstrap and Debian's archive; the
 * first run takes some minutes, the root and the libraries are kept for the next ones. What is up to date is not built again.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { archive } from './lib/apt.mjs';
import { cached } from './lib/cache.mjs';
import { isRoot, main, must, root, run, Stop } from './lib/command.mjs';
import { nodeHeaders } from './lib/debian.mjs';
import { collectLicences } from './prebuild/licences.mjs';

const TARGETS = {
  x64: { cross: '', multiarch: 'x86_64-linux-gnu' },
  arm64: { cross: 'aarch64-linux-gnu-', multiarch: 'aarch64-linux-gnu' },
};
const KEYS = '/usr/share/keyrings/debian-archive-keyring.gpg';
const BPF = join(root, 'build', 'prebuild-bpf');
/** The oldest release whose glibc (2.31) is that of Ubuntu 20.04, and the one whose sources of libbpf and libpcap are used. */
const RELEASE = 'bullseye';
const SOURCES = 'trixie';

const TOOLS = [
  'g++',
  'make',
  'flex',
  'bison',
  'xz-utils',
  'patch',
  'ca-certificates',
  'g++-aarch64-linux-gnu',
];
const LIBRARIES = ['libelf-dev', 'zlib1g-dev', 'libmnl-dev'];

await main(async () => {
  if (!isRoot()) throw new Stop('building the binaries needs root: it makes a root file system', 3);
  const wanted = process.argv.slice(2);
  const unknown = wanted.find((name) => !(name in TARGETS));
  if (unknown) throw new Stop(`unknown architecture '${unknown}': x64 or arm64`, 2);
  run(process.execPath, ['scripts/build-bpf.mjs', BPF]);
  const base = await buildRoot();
  for (const arch of wanted.length > 0 ? wanted : Object.keys(TARGETS)) build(base, arch);
  collectLicences(base, join(root, 'prebuilds', 'THIRD_PARTY'));
});

/** The root with the compilers and, below /libraries, what they link in. */
async function buildRoot() {
  const script = join(root, 'scripts', 'prebuild', 'libraries.sh');
  const key = createHash('sha256')
    .update([RELEASE, SOURCES, ...TOOLS, ...LIBRARIES, readFileSync(script, 'utf8')].join('\n'))
    .digest('hex')
    .slice(0, 12);
  return await cached(join('prebuild', `${RELEASE}-${key}`), (made) => {
    process.stderr.write('Making a root of Debian 11 and the libraries in it: some minutes\n');
    const foreign = LIBRARIES.map((name) => `${name}:arm64`);
    must('mmdebstrap', [
      '--variant=minbase',
      '--mode=root',
      '--architectures=amd64,arm64',
      `--include=${[...TOOLS, ...LIBRARIES, ...foreign].join(',')}`,
      '--aptopt=APT::Install-Recommends "false"',
      RELEASE,
      made,
      `deb [signed-by=${KEYS}] ${archive()} ${RELEASE} main`,
      `deb-src [signed-by=${KEYS}] ${archive()} ${SOURCES} main`,
    ]);
    for (const file of ['resolv.conf', 'hosts']) cpSync(join('/etc', file), join(made, 'etc', file));
    mkdirSync(join(made, 'sources'));
    cpSync(script, join(made, 'libraries.sh'));
    inRoot(made, `cd /sources && apt-get -qq update && apt-get -qq source --download-only libpcap libbpf`);
    for (const arch of Object.keys(TARGETS)) inRoot(made, `sh /libraries.sh ${arch}`);
  });
}

function build(base, arch) {
  const { cross, multiarch } = TARGETS[arch];
  const target = join(root, 'prebuilds', `linux-${arch}`);
  const stamp = join(root, 'build', `prebuilt-${arch}`);
  const sources = fingerprint(base);
  if (existsSync(target) && existsSync(stamp) && readFileSync(stamp, 'utf8') === sources) return;
  const work = mkdtempSync(join(base, 'tmp', 'build-'));
  const inside = work.slice(base.length);
  try {
    cpSync(join(root, 'native'), join(work, 'native'), { recursive: true });
    cpSync(join(BPF, 'rpf_bpf_objects.c'), join(work, 'rpf_bpf_objects.c'));
    cpSync(join(nodeHeaders() ?? missingHeaders(), 'include', 'node'), join(work, 'include', 'node'), {
      recursive: true,
    });
    cpSync(join(root, 'node_modules', 'node-addon-api'), join(work, 'node-addon-api'), { recursive: true });
    const values = {
      CROSS: cross,
      MULTIARCH: multiarch,
      OUT: `out/linux-${arch}`,
      WORK: 'work',
      LIBS: `/libraries/${arch}`,
      NODE_HEADERS: '.',
      NODE_ADDON_API: 'node-addon-api',
      BPF_OBJECTS: 'rpf_bpf_objects.c',
    };
    const words = Object.entries(values).map(([name, value]) => `${name}=${value}`);
    inRoot(base, `cd ${inside} && make -s -j2 -f native/prebuild.mk ${words.join(' ')}`);
    rmSync(target, { recursive: true, force: true });
    cpSync(join(work, 'out', `linux-${arch}`), target, { recursive: true });
    writeFileSync(stamp, sources);
    process.stderr.write(`built ${target}\n`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Of all that the binaries are made of: the root stands for its compilers and libraries. */
function fingerprint(base) {
  const hash = createHash('sha256').update(`${base} ${process.version}`);
  const native = readdirSync(join(root, 'native'), { recursive: true, encoding: 'utf8' }).sort();
  const files = native.map((name) => join(root, 'native', name)).filter((path) => statSync(path).isFile());
  const given = [join(BPF, 'rpf_bpf_objects.c'), join(root, 'node_modules/node-addon-api/package.json')];
  for (const file of [...files, ...given]) hash.update(`${file}\n`).update(readFileSync(file));
  return hash.digest('hex');
}

function missingHeaders() {
  throw new Stop('the headers of Node are not beside it; on Debian: apt-get install libnode-dev');
}

function inRoot(directory, script) {
  const { status, stdout, stderr } = spawnSync('chroot', [directory, 'sh', '-ec', script], {
    encoding: 'utf8',
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', ...proxies() },
    maxBuffer: 64 << 20,
  });
  if (status !== 0)
    throw new Stop(`in the root of ${RELEASE}: ${script}\n${stdout.slice(-2000)}${stderr.slice(-4000)}`);
}

function proxies() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => /^https?_proxy$/i.test(name)));
}
