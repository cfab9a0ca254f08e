import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
// @ts-expect-error plain JavaScript, as all scripts
import { Suites } from '../../../../scripts/lib/apt.mjs';
// @ts-expect-error plain JavaScript, as all scripts
import { cached } from '../../../../scripts/lib/cache.mjs';
// @ts-expect-error plain JavaScript, as all scripts
import { unpack } from '../../../../scripts/lib/unpacked.mjs';

/** What a cluster of one node is made of. */
const COMMANDS = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubelet'] as const;

/** Paths of programs. */
export type KubernetesPrograms = Readonly<Record<(typeof COMMANDS)[number] | 'etcd', string>>;

/**
 * Kubernetes of Debian 12: no release has packages of more than its client, and later ones have the source of that alone. It is compiled
 * by the Go of the same release; etcd is Debian's. For the first time this takes some four minutes of two CPUs, and 220 MB in the end.
 */
export async function builtKubernetes(): Promise<KubernetesPrograms> {
  const key = createHash('sha256')
    .update(readFileSync(import.meta.filename))
    .digest('hex')
    .slice(0, 12);
  const directory: string = await cached(join('kubernetes', key), (made: string, scratch: string) => {
    const go = goIn(scratch);
    const source = sourceIn(go, scratch);
    describeTypes(go, source, scratch);
    const packages = COMMANDS.map((name) => `./cmd/${name}`);
    go.run(source, 'build', '-trimpath', '-ldflags', LINKED.join(' '), '-o', `${made}/`, ...packages);
    cpSync(join(go.root, 'usr/bin/etcd'), join(made, 'etcd'));
  });
  const programs = [...COMMANDS, 'etcd'].map((name) => [name, join(directory, name)]);
  return Object.fromEntries(programs) as KubernetesPrograms;
}

const RELEASE = 'bookworm';
const VERSION = 'v1.20.2';
const PACKAGE = 'k8s.io/kubernetes';

/** No symbols; and the version, which nodes are judged by, and Helm too. */
const LINKED = [
  ...['-s', '-w'],
  ...['component-base/version', 'client-go/pkg/version'].flatMap((name) => {
    const [, major, minor] = /v(\d+)\.(\d+)/.exec(VERSION) ?? [];
    const values = { gitVersion: VERSION, gitMajor: major, gitMinor: minor };
    return Object.entries(values).map(
      ([key, value]) => `-X ${PACKAGE}/vendor/k8s.io/${name}.${key}=${value}`,
    );
  }),
];

interface Go {
  /** Where Debian's packages are unpacked. */
  readonly root: string;
  readonly path: string;
  run(directory: string, ...words: string[]): void;
}

function goIn(scratch: string): Go {
  const root = join(scratch, 'root');
  const packages = [
    'golang-1.19-go',
    'golang-1.19-src',
    'golang-github-modern-go-reflect2-dev',
    'etcd-server',
  ];
  unpack(RELEASE, packages, root, scratch);
  const path = join(scratch, 'go');
  const env = {
    PATH: process.env.PATH,
    GOROOT: join(root, 'usr/lib/go-1.19'),
    GOPATH: path,
    GO111MODULE: 'off', // what is imported lies in the source's own vendor directory
    GOCACHE: join(scratch, 'cache'),
    GOTMPDIR: scratch,
    GOFLAGS: '-tags=providerless,dockerless', // no clouds, no Docker
    GOGC: '400', // the compiler has memory enough
    CGO_ENABLED: '0',
  };
  const run = (cwd: string, ...words: string[]) =>
    void execFileSync(join(env.GOROOT, 'bin/go'), words, {
      cwd,
      env,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  return { root, path, run };
}

/** Unpacked where Go looks for it. */
function sourceIn(go: Go, scratch: string): string {
  const suites = new Suites(join(scratch, 'apt-src'), [RELEASE], 'amd64', ['deb-src']);
  suites.update();
  const source = join(go.path, 'src', PACKAGE);
  mkdirSync(source, { recursive: true });
  execFileSync('tar', ['-xf', suites.downloadSource('kubernetes'), '--strip-components=1', '-C', source]);
  // The one in the source reads maps as they were before Go 1.18, and reads rubbish since.
  const name = 'github.com/modern-go/reflect2';
  rmSync(join(source, 'vendor', name), { recursive: true });
  cpSync(join(go.root, 'usr/share/gocode/src', name), join(source, 'vendor', name), { recursive: true });
  return source;
}

/** Makes the one generated file that is not in the source: the API's types, as the API server describes them. */
function describeTypes(go: Go, source: string, scratch: string): void {
  const generator = join(scratch, 'openapi-gen');
  go.run(source, 'build', '-o', generator, './vendor/k8s.io/kube-openapi/cmd/openapi-gen');
  const licence = join(scratch, 'licence');
  writeFileSync(licence, '');
  const words = [
    ...['--input-dirs', typesIn(source).join(',')],
    ...['--output-package', `${PACKAGE}/pkg/generated/openapi`, '--output-file-base', 'zz_generated.openapi'],
    ...['--go-header-file', licence, '--report-filename', join(scratch, 'violations')],
  ];
  const env = {
    PATH: `${go.root}/usr/lib/go-1.19/bin:${process.env.PATH}`,
    GOPATH: go.path,
    GO111MODULE: 'off',
  };
  execFileSync(generator, words, { cwd: source, env, stdio: ['ignore', 'ignore', 'inherit'] });
}

/** The packages that ask to be described. */
function typesIn(source: string): string[] {
  const asking = ['-rl', '--include=*.go', '+k8s:openapi-gen=', 'pkg', 'staging'];
  const files = execFileSync('grep', asking, { cwd: source, encoding: 'utf8' }).trimEnd().split('\n');
  const folders = files.map((file) => file.slice(0, file.lastIndexOf('/')));
  return [...new Set(folders)]
    .filter((folder) => !/_examples|sample-|testdata|code-generator/.test(folder))
    .map((folder) => `${PACKAGE}/${folder.replace(/^staging\/src\//, 'vendor/')}`);
}
