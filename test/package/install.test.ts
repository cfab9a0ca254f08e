import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CleanRoot } from './support/clean-root.js';

const project = resolve(import.meta.dirname, '..', '..');
/** RPFTRACE_RELEASES has others: "bullseye bookworm trixie". */
const releases = (process.env.RPFTRACE_RELEASES ?? 'bookworm').split(' ');

let scratch: string;
let tarball: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'rpftrace-package-'));
  execFileSync(process.execPath, ['scripts/prebuild.mjs'], {
    cwd: project,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const output = execFileSync('npm', ['pack', '--json', '--pack-destination', scratch], {
    cwd: project,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  tarball = join(scratch, JSON.parse(output)[0].filename);
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

it('the package has the binaries of every architecture, and the licences of what is in them', () => {
  const files = execFileSync('tar', ['tf', tarball], { encoding: 'utf8' }).split('\n');
  for (const arch of ['x64', 'arm64']) {
    for (const name of ['rpftrace.node', 'rpftrace-send', 'libelf.so.1', 'libz.so.1', 'libmnl.so.0'])
      expect(files).toContain(`package/prebuilds/linux-${arch}/${name}`);
  }
  const licences = execFileSync('tar', ['xOf', tarball, 'package/prebuilds/THIRD_PARTY'], {
    encoding: 'utf8',
  });
  const titles = [...licences.matchAll(/^=+\n(.*)\n=+$/gm)].map(([, title]) => title?.split(':')[0]);
  const parts = ['libbpf', 'libpcap', 'libstdc++ and libgcc', 'node-addon-api', 'elfutils', 'zlib', 'libmnl'];
  expect(titles).toEqual([...parts, 'LGPL-2.1', 'LGPL-3', 'GPL-2', 'GPL-3']);
  expect(licences.match(/GNU LESSER GENERAL PUBLIC LICENSE/g)?.length).toBeGreaterThanOrEqual(2);
});

it.each(['x64', 'arm64'])(
  'the addon for %s needs no newer glibc than 2.31, and nothing else that is not beside it',
  (arch) => {
    const addon = join(project, 'prebuilds', `linux-${arch}`, 'rpftrace.node');
    const dynamic = execFileSync('readelf', ['--wide', '--dynamic', '--version-info', addon], {
      encoding: 'utf8',
    });
    const minors = [...dynamic.matchAll(/GLIBC_2\.(\d+)/g)].map((match) => Number(match[1]));
    expect(Math.max(...minors)).toBeLessThanOrEqual(31);
    const needed = [...dynamic.matchAll(/\(NEEDED\).*\[(.*)\]/g)].map((match) => match[1] as string);
    const beside =
      /^(libelf\.so\.1|libz\.so\.1|libmnl\.so\.0|libc\.so\.6|libpthread\.so\.0|ld-linux-[\w-]+\.so\.\d)$/;
    expect(needed.filter((name) => !beside.test(name))).toEqual([]);
    expect(dynamic).toContain('[$ORIGIN]');
  },
);

describe.each(releases)('installed on a Debian without a compiler: %s', (release) => {
  let root: CleanRoot;
  beforeAll(async () => {
    root = await CleanRoot.make(release);
    cpSync(tarball, join(root.path, 'rpftrace.tgz'));
    const { code, stderr } = root.run(
      'mkdir /app && cd /app && npm install --no-audit --no-fund /rpftrace.tgz',
    );
    expect(stderr.replace(/^npm (warn|notice).*\n?/gm, '')).toBe('');
    expect(code).toBe(0);
  });
  afterAll(() => root?.[Symbol.dispose]());

  it('has none', () => {
    expect(root.run('command -v cc gcc g++ clang make python3').stdout).toBe('');
  });

  it('says what this kernel allows', () => {
    const { code, stdout } = root.run('cd /app && npx rpftrace doctor -o json');
    expect([0, 4]).toContain(code);
    expect(JSON.parse(stdout)).toMatchObject({ v: 1 });
  });

  it('traces real drops, all of them, and says why', () => {
    const name = `rpfpack${process.pid}`;
    const { code, stdout, stderr } = root.run(
      `cd /app && npx rpftrace lab run --name ${name} strict local-source no-route`,
    );
    expect(stderr + stdout).toContain('strict');
    expect(code).toBe(0);
  });
});
