import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const source = fileURLToPath(new URL('../../src', import.meta.url));

/** The stages of DESIGN.md section 1, in the order of the road. A stage imports only what stands before it. */
const STAGES = [
  'capture',
  'record',
  'names',
  'attribute',
  'settings',
  'routes',
  'explain',
  'incident',
  'sink',
];

/** Uses the stages, or is used before the road begins. */
const BESIDE = [
  'attach',
  'cli',
  'doctor',
  'filters',
  'lab',
  'metrics',
  'otlp',
  'pod-events',
  'privileges',
  'serve',
];

/** What every stage may use: no stage itself, and importing none. */
const SHARED = [
  'cgroup-mounts.ts',
  'errors.ts',
  'events.ts',
  'grouped.ts',
  'if-there.ts',
  'nameless.ts',
  'native.ts',
  'node-root.ts',
  'package-file.ts',
  'printable.ts',
  'root.ts',
  'suggest.ts',
  'version.ts',
];

test('every stage has its folder', () => {
  expect(STAGES.filter((stage) => filesOf(stage).length === 0)).toEqual([]);
});

test('every folder is a stage, or not on the road', () => {
  const folders = readdirSync(source, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const known = [...STAGES, ...BESIDE];
  expect(folders.map(({ name }) => name).filter((name) => !known.includes(name))).toEqual([]);
});

test.each(STAGES)('%s imports only stages before it', (stage) => {
  const allowed = [...STAGES.slice(0, STAGES.indexOf(stage) + 1), ...SHARED];
  const wrong = filesOf(stage).flatMap((file) =>
    importsOf(file)
      .filter((target) => !allowed.includes(target.split(sep)[0] as string))
      .map((target) => `${file} imports ${target}`),
  );
  expect(wrong).toEqual([]);
});

test('what is shared imports no stage', () => {
  const wrong = SHARED.flatMap((file) => importsOf(file).map((target) => `${file} imports ${target}`));
  expect(wrong.filter((line) => !SHARED.some((shared) => line.endsWith(` ${shared}`)))).toEqual([]);
});

test('nothing but the command line imports the command line or the lab', () => {
  const files = filesOf('.').filter((file) => !/^(cli|lab)\b/.test(file));
  const wrong = files.filter((file) => importsOf(file).some((target) => /^(cli|lab)\b/.test(target)));
  expect(wrong).toEqual([]);
});

test('no file imports itself by a detour, types included', () => {
  const circles: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, road: readonly string[]): void => {
    const start = road.indexOf(file);
    if (start >= 0) circles.push([...road.slice(start), file].join(' -> '));
    if (start >= 0 || done.has(file)) return;
    for (const target of importsOf(file)) visit(target, [...road, file]);
    done.add(file);
  };
  for (const file of filesOf('.')) visit(file, []);
  expect(circles).toEqual([]);
});

test('the tracing path does not load zod', () => {
  const loaded = loadedWith('cli/trace.ts');
  expect(loaded).toContain('pipeline.ts');
  expect(loaded).not.toContain('events.ts');
});

test('the tracing path loads no source of pods, and of the packages those that each trace needs', () => {
  const loaded = loadedWith('cli/program.ts', 'cli/trace.ts');
  const sources = loaded.filter((file) => file.startsWith(join('attribute', 'sources', '')));
  expect(sources).toEqual([join('attribute', 'sources', 'kubernetes-options.ts')]);
  const packages = new Set(loaded.flatMap(valuePackagesOf));
  expect([...packages].sort()).toEqual(['commander', 'sonic-boom']);
});

/** The files, and all that is loaded with them. */
function loadedWith(...files: string[]): string[] {
  const seen = new Set<string>();
  const visit = (next: string): void => {
    if (seen.has(next)) return;
    seen.add(next);
    for (const target of valueImportsOf(next)) visit(target);
  };
  files.forEach(visit);
  return [...seen];
}

/** Files below a folder of src/, relative to src/. */
function filesOf(folder: string): string[] {
  const entries = readDirectory(join(source, folder));
  return entries.filter((name) => name.endsWith('.ts')).map((name) => join(folder, name));
}

/** What is not there has no files. */
function readDirectory(path: string): string[] {
  try {
    return readdirSync(path, { recursive: true, encoding: 'utf8' });
  } catch {
    return [];
  }
}

/** Files of src/ that a file imports, types included, relative to src/. */
function importsOf(file: string): string[] {
  return matches(file, /(?:from|import) '(\.[^']+)'|import\('(\.[^']+)'\)/g);
}

/** Those that are loaded with it. */
function valueImportsOf(file: string): string[] {
  return matches(file, /^(?:import|export) (?!type\b)(?:[^;]*?from )?'(\.[^']+)'/gm);
}

/** Packages that are loaded with it. */
function valuePackagesOf(file: string): string[] {
  const text = readFileSync(join(source, file), 'utf8');
  const imports = text.matchAll(/^import (?!type\b)[^;]*?from '([^'.][^']*)'/gm);
  return [...imports].map(([, name]) => name as string).filter((name) => !name.startsWith('node:'));
}

function matches(file: string, pattern: RegExp): string[] {
  const text = readFileSync(join(source, file), 'utf8');
  return [...text.matchAll(pattern)].map((match) => {
    const specifier = (match[1] ?? match[2]) as string;
    return relative(source, join(source, dirname(file), specifier)).replace(/\.js$/, '.ts');
  });
}
