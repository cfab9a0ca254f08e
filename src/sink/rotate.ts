import { existsSync, renameSync, rmSync } from 'node:fs';

/** Makes room for a new `file`: it becomes file.1, file.1 becomes file.2 and so on; only `keep` of them stay. */
export function shiftFiles(file: string, keep: number): void {
  rmSync(`${file}.${keep}`, { force: true });
  for (let index = keep - 1; index >= 1; index--) {
    if (existsSync(`${file}.${index}`)) renameSync(`${file}.${index}`, `${file}.${index + 1}`);
  }
  renameSync(file, `${file}.1`);
}
