import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CAPABILITIES } from '../../src/privileges/capabilities.js';
import { VERSION } from '../../src/version.js';
import { Containerd } from '../kernel/support/containerd.js';
import { useLab } from '../kernel/support/lab.js';
import { CAPABILITIES_OF_IMAGE, Image } from './support/image.js';

const project = resolve(import.meta.dirname, '..', '..');
const seccomp = join(project, 'deploy', 'seccomp.json');
const given = CAPABILITIES_OF_IMAGE.flatMap((name) => ['--cap-add', `CAP_${name}`]);

let image: Image;
beforeAll(() => {
  image = Image.build();
});

describe('the image', () => {
  it('has less than 250 MB', () => {
    expect(image.bytes).toBeLessThan(250_000_000);
    expect(image.bytes).toBeGreaterThan(100_000_000);
  });

  it('has no compiler, no npm and nothing of the build', () => {
    const tools =
      /^usr\/(local\/)?s?bin\/(gcc|g\+\+|cc|clang|ld|as|make|npm|python3|setcap)(-[\w.]+)?$|\/cc1/;
    expect(image.files.filter((path) => tools.test(path))).toEqual([]);
    expect(
      image.files.filter((path) =>
        /npmrc$|npm-authorities|^root\/.*npm|^rpftrace\/src|^rpftrace\/.*\.ts$/.test(path),
      ),
    ).toEqual([]);
    expect(image.files).toContain('usr/bin/node');
  });

  it('says what it is, who it runs as, and how it is asked whether it is well', () => {
    expect(image.config).toMatchObject({
      User: '65532:65532',
      Entrypoint: ['/usr/local/bin/rpftrace'],
      Labels: {
        'org.opencontainers.image.title': 'rpftrace',
        'org.opencontainers.image.version': VERSION,
        'org.opencontainers.image.licenses': expect.stringContaining('Apache-2.0'),
      },
      Healthcheck: { Test: ['CMD', '/usr/bin/node', '/rpftrace/healthy.mjs'] },
    });
  });

  it('has all that the program reads', () => {
    const files = ['bin/rpftrace', 'dist/program/rpftrace.js', 'proto/cri.proto', 'package.json'];
    for (const path of [...files, 'build/Release/rpftrace.node', 'node_modules/@grpc/grpc-js/package.json'])
      expect(image.files).toContain(`rpftrace/${path}`);
  });

  it('has the licences of all that is in it', () => {
    for (const path of ['LICENSE', 'LICENSES/README.md', 'dist/program/THIRD_PARTY'])
      expect(image.files).toContain(`rpftrace/${path}`);
  });
});

it('the file capabilities are those that rpftrace has a use for', () => {
  const [, list = ''] = /setcap (\S+)\+p /.exec(readFileSync(join(project, 'Dockerfile'), 'utf8')) ?? [];
  expect(list.toUpperCase().split(',').sort()).toEqual(CAPABILITIES.map(({ name }) => name).sort());
});

describe('a container of it, with a root file system that is read-only, of no root', () => {
  const lab = useLab();
  let containerd: Containerd;
  beforeAll(async () => {
    containerd = await Containerd.start({ netns: lab.path('node'), network: 'lxc' });
    await containerd.import(image.archive);
  });
  afterAll(() => containerd?.stop());
  const run = (args: string[], options: string[] = []) =>
    containerd.runToEnd(image.name, [...image.config.Entrypoint, ...args], ['--read-only', ...options]);

  it('tells its version', async () => {
    expect(await run(['--version'])).toEqual({ code: 0, stdout: `${VERSION}\n`, stderr: '' });
  });

  it('says what is missing where it was given no capabilities', async () => {
    expect(await run(['trace'])).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('E_MISSING_CAPABILITY'),
    });
  });

  it('may do what it was given capabilities for, under deploy/seccomp.json too', async () => {
    const { code, stdout, stderr } = await run(
      ['doctor', '-o', 'json'],
      [...given, '--seccomp', '--seccomp-profile', seccomp],
    );
    expect(stderr).toBe('');
    expect([0, 4]).toContain(code);
    const report = JSON.parse(stdout);
    expect(report.tracer).toEqual({ can_run: true });
  });
});
