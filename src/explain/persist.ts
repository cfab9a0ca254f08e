import { readdirSync, readFileSync, realpathSync } from 'node:fs';
import { basename } from 'node:path';

/** A line of a file that sets a key. */
export interface PersistedSetting {
  readonly file: string;
  readonly line: number;
  /** As written there; it may be a pattern. */
  readonly key: string;
  readonly value: string;
}

/**
 * The lines that will set these keys again, in the order in which they are applied: what systemd-sysctl and
 * `sysctl --system` read, then tuned. Of several lines for one key the last one wins; lines that another one always
 * overrides are left out. A file that cannot be read counts as one that is not there.
 */
export function findPersisted(keys: readonly string[], root = '/'): PersistedSetting[] {
  const wanted = keys.map(canonical);
  const files = sysctlFiles(root).map((file) => readAssignments(file, root));
  const tuned = tunedProfiles(root);
  return [
    ...inForce(files.flat(), wanted),
    ...inForce(tuned, wanted),
    ...(tuned.length > 0 || files.flat().some((line) => wanted.some((key) => matches(line, key)))
      ? reapplied(root)
      : []),
  ];
}

interface Assignment extends PersistedSetting {
  /** The key with slashes between its words, as under /proc/sys. */
  readonly path: string;
  readonly isPattern: boolean;
  /** "-key" without a value: patterns do not reach it. */
  readonly isExclusion: boolean;
}

/** systemd: in the order of precedence. /lib is /usr/lib on all but old systems. */
const SYSCTL_FOLDERS = [
  'etc/sysctl.d',
  'run/sysctl.d',
  'usr/local/lib/sysctl.d',
  'usr/lib/sysctl.d',
  'lib/sysctl.d',
];

/** sysctl.d(5): sorted by name whatever the folder; a name in an earlier folder masks those in later ones. */
function sysctlFiles(root: string): string[] {
  const byName = new Map<string, string>();
  for (const folder of SYSCTL_FOLDERS) {
    for (const name of entriesOf(`${root}${folder}`)) {
      if (name.endsWith('.conf') && !byName.has(name)) byName.set(name, `${root}${folder}/${name}`);
    }
  }
  const sorted = [...byName].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, file]) => file);
  const last = `${root}etc/sysctl.conf`;
  // sysctl --system reads it last; systemd-sysctl only where a link in sysctl.d leads to it.
  return sorted.some((file) => realPath(file) === realPath(last)) ? sorted : [...sorted, last];
}

function readAssignments(file: string, root: string): Assignment[] {
  return readLines(file).flatMap((text, index) => {
    const assignment = parseAssignment(text);
    return assignment ? [{ file: shown(file, root), line: index + 1, ...assignment }] : [];
  });
}

/** sysctl.d(5): "key = value"; "-key = value" does not mind errors; "-key" alone is an exclusion from patterns. */
function parseAssignment(text: string): Omit<Assignment, 'file' | 'line'> | undefined {
  const trimmed = text.trim();
  if (trimmed === '' || trimmed.startsWith('#') || trimmed.startsWith(';')) return undefined;
  const equals = trimmed.indexOf('=');
  const mayFail = trimmed.startsWith('-');
  if (equals < 0 && !mayFail) return undefined;
  const key = (equals < 0 ? trimmed : trimmed.slice(0, equals)).slice(mayFail ? 1 : 0).trim();
  return {
    key,
    value: equals < 0 ? '' : trimmed.slice(equals + 1).trim(),
    path: canonical(key),
    isPattern: /[*?[]/.test(key),
    isExclusion: equals < 0,
  };
}

/** The first separator says which one is used; the other then stands for it inside of a name. */
function canonical(key: string): string {
  const first = /[./]/.exec(key)?.[0];
  if (first !== '.') return key;
  return key.replace(/[./]/g, (separator) => (separator === '.' ? '/' : '.'));
}

/** A key that is named somewhere, or excluded, is not reached by patterns, wherever they stand. */
function inForce(assignments: readonly Assignment[], wanted: readonly string[]): PersistedSetting[] {
  return wanted.flatMap((key) => {
    const named = assignments.filter((assignment) => !assignment.isPattern && assignment.path === key);
    const candidates =
      named.length > 0
        ? named.filter(({ isExclusion }) => !isExclusion)
        : assignments.filter((assignment) => assignment.isPattern && matches(assignment, key));
    const last = candidates.at(-1);
    return last ? [{ file: last.file, line: last.line, key: last.key, value: last.value }] : [];
  });
}

function matches({ path, isPattern, isExclusion }: Assignment, key: string): boolean {
  if (isExclusion) return false;
  return isPattern ? globToRegExp(path).test(key) : path === key;
}

/** glob(7) of paths: no wildcard matches a slash. */
function globToRegExp(glob: string): RegExp {
  const source = glob.replace(/\*|\?|\[[^\]]*\]|[.+^${}()|\\\]]/g, (part) => {
    if (part === '*') return '[^/]*';
    if (part === '?') return '[^/]';
    if (part.startsWith('[')) return part.replace(/^\[!/, '[^').replaceAll('\\', '\\\\');
    return `\\${part}`;
  });
  try {
    return new RegExp(`^${source}$`);
  } catch {
    return /(?!)/; // no valid pattern: it matches nothing
  }
}

/** The settings of the active profiles: those that a profile includes come before its own. */
function tunedProfiles(root: string): Assignment[] {
  const names = readLines(`${root}etc/tuned/active_profile`).join(' ').split(/\s+/).filter(Boolean);
  const seen = new Set<string>();
  return names.flatMap((name) => tunedProfile(name, root, seen));
}

const TUNED_FOLDERS = ['etc/tuned/profiles', 'etc/tuned', 'usr/lib/tuned/profiles', 'usr/lib/tuned'];

function tunedProfile(name: string, root: string, seen: Set<string>): Assignment[] {
  if (seen.has(name) || name.includes('/')) return [];
  seen.add(name);
  const file = TUNED_FOLDERS.map((folder) => `${root}${folder}/${name}/tuned.conf`).find(
    (candidate) => readLines(candidate).length > 0,
  );
  if (file === undefined) return [];
  const sections = readSections(file);
  const included = sections.filter(({ section, key }) => section === 'main' && key === 'include');
  const own = sections
    .filter(({ section }) => section === 'sysctl')
    .map(({ key, value, line }) => ({
      file: shown(file, root),
      line,
      key,
      value,
      path: canonical(key),
      isPattern: false,
      isExclusion: false,
    }));
  const others = included.flatMap(({ value }) => value.split(/[\s,;]+/)).filter(Boolean);
  return [...others.flatMap((other) => tunedProfile(other, root, seen)), ...own];
}

interface IniLine {
  readonly section: string;
  readonly key: string;
  readonly value: string;
  readonly line: number;
}

function readSections(file: string): IniLine[] {
  let section = 'main';
  return readLines(file).flatMap((text, index) => {
    const trimmed = text.trim();
    const head = /^\[(.+)\]$/.exec(trimmed);
    if (head) section = head[1] as string;
    const equals = trimmed.indexOf('=');
    if (head || equals < 0 || /^[#;]/.test(trimmed)) return [];
    const key = trimmed.slice(0, equals).trim();
    return [{ section, key, value: trimmed.slice(equals + 1).trim(), line: index + 1 }];
  });
}

/** tuned runs the files of sysctl.d after its own profile unless it is told not to, each time that it starts. */
function reapplied(root: string): PersistedSetting[] {
  const file = `${root}etc/tuned/tuned-main.conf`;
  return readSections(file)
    .filter(({ key, value }) => key === 'reapply_sysctl' && /^(1|true|yes|on)$/i.test(value))
    .map(({ key, value, line }) => ({ file: shown(file, root), line, key, value }));
}

function readLines(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n');
  } catch {
    return [];
  }
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => basename(name) === name);
  } catch {
    return [];
  }
}

function realPath(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return file;
  }
}

function shown(file: string, root: string): string {
  return `/${file.slice(root.length)}`;
}
