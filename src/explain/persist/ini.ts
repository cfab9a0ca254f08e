import type { Files, Line } from './files.js';

export interface IniLine extends Line {
  /** "" before the first one. */
  readonly section: string;
}

/** Files of sections, as tuned, systemd and NetworkManager have them. */
export function readSections(files: Files, file: string): IniLine[] {
  let section = '';
  return files.lines(file).flatMap((text, index) => {
    const trimmed = text.trim();
    const head = /^\[(.+)\]$/.exec(trimmed);
    if (head) section = head[1] as string;
    const equals = trimmed.indexOf('=');
    if (head || equals < 0 || /^[#;]/.test(trimmed)) return [];
    const key = trimmed.slice(0, equals).trim();
    return [{ file, section, key, value: trimmed.slice(equals + 1).trim(), line: index + 1 }];
  });
}

/**
 * The files of one kind in the folders of one program, by name: sorted by it whatever the folder, and a name in an earlier
 * folder masks those in later ones.
 */
export function maskedByName(files: Files, folders: readonly string[], suffix: string): string[] {
  const byName = new Map<string, string>();
  for (const folder of folders) {
    for (const name of files.names(folder)) {
      if (name.endsWith(suffix) && !byName.has(name)) byName.set(name, `${folder}/${name}`);
    }
  }
  return [...byName].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, file]) => file);
}
