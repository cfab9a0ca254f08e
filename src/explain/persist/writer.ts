import { basename } from 'node:path';
import type { Persisted, Writer } from '../../events.js';
import { parseValue } from '../../settings/value.js';
import type { Files, Line } from './files.js';
import { globToRegExp } from './glob.js';
import { NETWORKD_VALUES, networkdAnswer } from './networkd.js';
import { readSysctlFile, SYSCTL_CONF, SYSCTL_FOLDERS, type SysctlLine, sysctlLines } from './sysctl.js';
import { tunedLines } from './tuned.js';

export type ReadLine = Line & Pick<Persisted, 'by'>;

/**
 * The line of a file that a writer took a value from, as its command line tells which files it reads. Undefined where it does
 * not tell, or where none of them sets this value: nothing is guessed. Paths in containers are others.
 */
export function lineReadBy(writer: Writer, path: string, value: number, files: Files): ReadLine | undefined {
  if (writer.container_id !== undefined) return undefined;
  const gives = (line: Line) => parseValue(line.value) === value;
  switch (programOf(writer)) {
    case 'sysctl':
      return named(
        sysctlReads(writer, files)
          .filter((line) => isFor(line, path))
          .findLast(gives),
        'sysctl',
      );
    case 'systemd-sysctl':
      return named(
        systemdReads(writer, files)
          .filter((line) => isFor(line, path))
          .findLast(gives),
        'sysctl',
      );
    case 'tuned':
      return named(tunedLines(files, path).findLast(gives), 'tuned');
    case 'systemd-networkd': {
      const [, device = ''] = /^net\/ipv4\/conf\/([^/]+)\/rp_filter$/.exec(path) ?? [];
      const { line } = networkdAnswer(files, device);
      return named(line && NETWORKD_VALUES[line.value] === String(value) ? line : undefined, 'networkd');
    }
    default:
      return undefined;
  }
}

/** tuned is a Python program that gives itself its name; the kernel cuts names to 15 bytes. */
function programOf({ comm, exe, cmdline = [] }: Writer): string {
  if (comm === 'tuned' || cmdline.slice(0, 3).some((word) => basename(word) === 'tuned')) return 'tuned';
  return basename(exe ?? cmdline[0] ?? comm);
}

function named(line: Line | undefined, by: Persisted['by']): ReadLine | undefined {
  return line && { file: line.file, line: line.line, key: line.key, value: line.value, by };
}

function isFor({ path: own, isPattern, isExclusion }: SysctlLine, path: string): boolean {
  if (isExclusion) return false;
  return isPattern ? globToRegExp(own).test(path) : own === path;
}

/** sysctl(8): --system reads all, -p or -f those that are named, else /etc/sysctl.conf. */
function sysctlReads({ cmdline = [] }: Writer, files: Files): SysctlLine[] {
  const words = cmdline.slice(1);
  if (words.includes('--system')) return sysctlLines(files);
  const loads = words.flatMap((word) => LOAD.exec(word) ?? []);
  if (loads.length === 0) return [];
  const attached = words
    .map((word) => LOAD.exec(word)?.[1])
    .filter((file) => file !== undefined && file !== '');
  const others = words.filter((word) => !word.startsWith('-') && !word.includes('='));
  const named = [...attached, ...others] as string[];
  return (named.length === 0 ? [SYSCTL_CONF] : named)
    .filter((file) => file.startsWith('/'))
    .flatMap((file) => readSysctlFile(files, file));
}

/** systemd-sysctl(8): the files that are named, by path or as one of the folders has them; else all. */
function systemdReads({ cmdline = [] }: Writer, files: Files): SysctlLine[] {
  // It shortens the paths behind --prefix= where they stand, which leaves empty words.
  const words = cmdline.slice(1).filter((word) => word !== '' && !word.startsWith('-'));
  if (words.length === 0) return sysctlLines(files).filter(({ file }) => file !== SYSCTL_CONF);
  const found = words.map((word) =>
    word.startsWith('/')
      ? word
      : SYSCTL_FOLDERS.map((folder) => `${folder}/${word}`).find((file) => files.lines(file).length > 0),
  );
  return found.flatMap((file) => (file === undefined ? [] : readSysctlFile(files, file)));
}

/** -p, -f, --load, also among other letters, with the file attached or not. */
const LOAD = /^(?:-[a-zA-Z]*?[pf]|--load=?)(.*)$/;
