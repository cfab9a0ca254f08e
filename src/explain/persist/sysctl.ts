import type { Files, Line } from './files.js';
import { globToRegExp } from './glob.js';
import { maskedByName } from './ini.js';

/** A line of a file as sysctl.d(5) describes it. */
export interface SysctlLine extends Line {
  /** The key with slashes between its words, as under /proc/sys. */
  readonly path: string;
  readonly isPattern: boolean;
  /** "-key" without a value: patterns do not reach it. */
  readonly isExclusion: boolean;
}

/** What sysctl --system reads, in its order. */
export function sysctlLines(files: Files): SysctlLine[] {
  const inFolders = maskedByName(files, SYSCTL_FOLDERS, '.conf');
  // sysctl --system reads it last; systemd-sysctl only where a link in sysctl.d leads to it.
  const isLinked = inFolders.some((file) => files.isSame(file, SYSCTL_CONF));
  return [...inFolders, ...(isLinked ? [] : [SYSCTL_CONF])].flatMap((file) => readSysctlFile(files, file));
}

export function readSysctlFile(files: Files, file: string): SysctlLine[] {
  return files.lines(file).flatMap((text, index) => {
    const assignment = parseAssignment(text);
    return assignment ? [{ file, line: index + 1, ...assignment }] : [];
  });
}

/** The first separator says which one is used; the other then stands for it inside of a name. */
export function canonical(key: string): string {
  const first = /[./]/.exec(key)?.[0];
  if (first !== '.') return key;
  return key.replace(/[./]/g, (separator) => (separator === '.' ? '/' : '.'));
}

/**
 * The line that decides about a key. One that is named somewhere, or excluded, is not reached by patterns, wherever they
 * stand; of several the last wins.
 */
export function inForce(lines: readonly SysctlLine[], path: string): SysctlLine | undefined {
  const named = lines.filter((line) => !line.isPattern && line.path === path);
  const candidates =
    named.length > 0
      ? named.filter(({ isExclusion }) => !isExclusion)
      : lines.filter((line) => line.isPattern && !line.isExclusion && globToRegExp(line.path).test(path));
  return candidates.at(-1);
}

/** "key = value"; "-key = value" does not mind errors; "-key" alone is an exclusion from patterns. */
function parseAssignment(text: string): Omit<SysctlLine, 'file' | 'line'> | undefined {
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

/** systemd: in the order of precedence. /lib is /usr/lib on all but old systems. */
export const SYSCTL_FOLDERS = [
  '/etc/sysctl.d',
  '/run/sysctl.d',
  '/usr/local/lib/sysctl.d',
  '/usr/lib/sysctl.d',
  '/lib/sysctl.d',
];
export const SYSCTL_CONF = '/etc/sysctl.conf';
