import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '..', '..');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
const lockedPackages = Object.entries<LockedPackage>(lock.packages).filter(([path]) => path !== '');

interface LockedPackage {
  integrity?: string;
  resolved?: string;
  optionalDependencies?: Record<string, string>;
}

describe('package.json', () => {
  const packed = packedFiles();
  const isPacked = (path: string) =>
    packed.some((file) => file === path || file.startsWith(`${path.replace(/\/$/, '')}/`));

  it('packs the program, the library, the documents and the licences', () => {
    expect(packed).toEqual(
      expect.arrayContaining([
        'package.json',
        'README.md',
        'LICENSE',
        'LICENSES/BSD-2-Clause.txt',
        'LICENSES/GPL-2.0-only.txt',
        'ARCHITECTURE.md',
        'CHANGELOG.md',
        'CONTRIBUTING.md',
        'docs/events.md',
        'docs/adr/0001-flow-table-in-an-mmapable-map.md',
        'bin/rpftrace',
        'bin/kubectl-rpftrace',
        'proto/cri.proto',
        'deploy/seccomp.json',
        'deploy/helm/rpftrace/Chart.yaml',
        'deploy/helm/rpftrace/templates/_helpers.tpl',
        'deploy/helm/rpftrace/templates/NOTES.txt',
        'deploy/kubernetes/rpftrace.yaml',
        'dist/cli/main.js',
        'dist/index.js',
        'dist/index.d.ts',
      ]),
    );
  });

  it('packs nothing else: no sources, tests, scripts, build remains', () => {
    const allowed =
      /^(package\.json|[A-Z]+\.md|LICENSE|LICENSES\/.*|docs\/[a-z]+\.md|docs\/adr\/[0-9a-z-]+\.md|bin\/(kubectl-)?rpftrace|dist\/.*\.(js|d\.ts)|dist\/program\/THIRD_PARTY|prebuilds\/.*|proto\/cri\.proto|deploy\/(seccomp\.json|helm\/rpftrace\/.*|kubernetes\/[a-z]+\.yaml|systemd\/rpftrace\.(service|yaml)))$/;
    expect(packed.filter((file) => !allowed.test(file))).toEqual([]);
  });

  it('packs the licences of the packages that are inside of the program', () => {
    expect(packed).toContain('dist/program/THIRD_PARTY');
    const text = readFileSync(join(root, 'dist/program/THIRD_PARTY'), 'utf8');
    for (const name of ['commander', 'sonic-boom', 'zod', '@kubernetes/client-node'])
      expect(text).toMatch(new RegExp(`^${name} \\d`, 'm'));
  });

  it('packs binaries that run elsewhere, not those of this machine', () => {
    expect(manifest.files).toContain('prebuilds/');
    expect(packed.filter((file) => file.startsWith('build/'))).toEqual([]);
  });

  it('packs no module whose source is gone', () => {
    const modules = packed.flatMap(
      (file) => /^dist\/(?!program\/)(.*?)(\.d\.ts|\.js)$/.exec(file)?.[1] ?? [],
    );
    expect(modules.filter((module) => !existsSync(join(root, 'src', `${module}.ts`)))).toEqual([]);
  });

  it('packs every file that a packed document links to', () => {
    const missing = packed
      .filter((file) => file.endsWith('.md'))
      .flatMap((file) => linksOf(file).filter((target) => !isPacked(target)));
    expect(missing).toEqual([]);
  });

  it('exports only what was built, with its types', () => {
    const targets = Object.values(manifest.exports).flatMap((target) =>
      typeof target === 'string' ? [target] : Object.values(target as Record<string, string>),
    );
    expect(
      targets.map((target) => target.replace('./', '')).filter((file) => !packed.includes(file)),
    ).toEqual([]);
    expect(manifest.exports['.']).toHaveProperty('types');
  });

  it('installs a program that can be executed', () => {
    const program = join(root, manifest.bin.rpftrace);
    expect(() => accessSync(program, constants.X_OK)).not.toThrow();
    expect(readFileSync(program, 'utf8').split('\n')[0]).toBe('#!/usr/bin/env node');
  });

  it('compiles nothing behind the back of npm install', () => {
    expect(manifest.gypfile).toBe(false);
    const hooks = ['preinstall', 'install', 'postinstall', 'prepare', 'prepublish'];
    expect(Object.keys(manifest.scripts).filter((name) => hooks.includes(name))).toEqual([]);
  });

  it('names exactly those dependencies that src imports', () => {
    expect(Object.keys(manifest.dependencies).sort()).toEqual(importedPackages());
  });

  it('has no script that runs a file which does not exist', () => {
    const files = Object.values<string>(manifest.scripts).flatMap((line) => line.match(/\S+\.mjs/g) ?? []);
    expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  });

  it('locks its dependencies by hash and ties nobody to one registry', () => {
    expect(lockedPackages.filter(([, entry]) => !entry.integrity).map(([path]) => path)).toEqual([]);
    expect(lockedPackages.filter(([, entry]) => entry.resolved).map(([path]) => path)).toEqual([]);
  });

  it('locks what other platforms need, without which npm ci refuses the lock file', () => {
    const locked = new Set(lockedPackages.map(([path]) => path.replace(/.*node_modules\//, '')));
    const optional = lockedPackages.flatMap(([, entry]) => Object.keys(entry.optionalDependencies ?? {}));
    expect(optional.filter((name) => !locked.has(name))).toEqual([]);
  });
});

/** Files and folders of the project that a document links to. */
function linksOf(document: string): string[] {
  const text = readFileSync(join(root, document), 'utf8');
  const targets = [...text.matchAll(/\]\(([^)#:\s]+)(?:#[^)]*)?\)/g)].map((match) => match[1] as string);
  return targets.map((target) => join(dirname(document), target));
}

function packedFiles(): string[] {
  const json = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [pack] = JSON.parse(json) as { files: { path: string }[] }[];
  return pack?.files.map((file) => file.path) ?? [];
}

function importedPackages(): string[] {
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' });
  const names = sources
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => importsOf(join(root, 'src', file)));
  return [...new Set(names)].sort();
}

function importsOf(file: string): string[] {
  const specifiers = [
    ...readFileSync(file, 'utf8').matchAll(
      /^(?:import|export) .*?from '([^'.][^']*)'|import\('([^'.][^']*)'\)/gms,
    ),
  ];
  const names = specifiers.map(([, from, dynamic]) => from ?? dynamic ?? '').map(packageName);
  return names.filter((name) => !name.startsWith('node:') && !builtinModules.includes(name));
}

function packageName(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}
