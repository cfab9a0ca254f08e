import type { Files, Line } from './files.js';
import { type IniLine, maskedByName, readSections } from './ini.js';
import { readSysctlFile, SYSCTL_CONF } from './sysctl.js';

/**
 * The line that tuned sets a key by when it starts or gets another profile; undefined when it leaves it alone. After the
 * sysctl section of the active profiles it applies the files of the system once more, unless it is told not to, so these win
 * (tuned/plugins/plugin_sysctl.py).
 */
export function tunedLine(files: Files, path: string): Line | undefined {
  return tunedLines(files, path).at(-1);
}

/** All lines that it sets the key by, in its order. */
export function tunedLines(files: Files, path: string): Line[] {
  const own = profileLines(files);
  if (own.length === 0) return [];
  const again = reapplies(files) ? reappliedLines(files) : [];
  return [...own, ...again].filter(({ key }) => pathOf(key) === path);
}

/** In a key a dot is a slash and a slash is a dot, whichever comes first. */
function pathOf(key: string): string {
  return key.replace(/[./]/g, (separator) => (separator === '.' ? '/' : '.'));
}

/** The settings of the active profiles: those that a profile includes come before its own. */
function profileLines(files: Files): Line[] {
  const names = files.lines('/etc/tuned/active_profile').join(' ').split(/\s+/).filter(Boolean);
  const seen = new Set<string>();
  return names.flatMap((name) => linesOf(name, files, seen));
}

function linesOf(name: string, files: Files, seen: Set<string>): Line[] {
  if (seen.has(name) || name.includes('/')) return [];
  seen.add(name);
  const lines = TUNED_FOLDERS.map((folder) => readSections(files, `${folder}/${name}/tuned.conf`));
  const sections = lines.find(({ length }) => length > 0) ?? [];
  const included = sections.filter(({ section, key }) => section === 'main' && key === 'include');
  const others = included.flatMap(({ value }) => value.split(/[\s,;]+/)).filter(Boolean);
  return [...others.flatMap((other) => linesOf(other, files, seen)), ...sysctlSections(sections)];
}

/** A section is of the type that it is called, or of the one that it names. */
function sysctlSections(lines: readonly IniLine[]): IniLine[] {
  const typeOf = (section: string) =>
    lines.findLast((line) => line.section === section && line.key === 'type')?.value ?? section;
  return lines.filter(({ section, key }) => key !== 'type' && typeOf(section) === 'sysctl');
}

function reapplies(files: Files): boolean {
  const line = readSections(files, '/etc/tuned/tuned-main.conf').findLast(
    ({ key }) => key === 'reapply_sysctl',
  );
  return line === undefined || /^(1|true|yes|on)$/i.test(line.value);
}

/** It knows neither patterns nor exclusions, and /run comes before /etc. */
function reappliedLines(files: Files): Line[] {
  const folders = maskedByName(files, ['/run/sysctl.d', '/etc/sysctl.d'], '.conf');
  return [...folders, SYSCTL_CONF]
    .flatMap((file) => readSysctlFile(files, file))
    .filter(({ isPattern, isExclusion }) => !isPattern && !isExclusion);
}

const TUNED_FOLDERS = ['/etc/tuned/profiles', '/etc/tuned', '/usr/lib/tuned/profiles', '/usr/lib/tuned'];
