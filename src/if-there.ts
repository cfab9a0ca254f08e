import { readdirSync, readFileSync, statSync } from 'node:fs';

/** What is read of files that come and go, or are not ours to see: undefined where it cannot be read. */
export function ifThere<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

export function textOf(path: string): string | undefined {
  return ifThere(() => readFileSync(path, 'utf8'));
}

export function inodeOf(path: string): number | undefined {
  return ifThere(() => statSync(path).ino);
}

/** Names in a folder; none where there is no folder. */
export function entriesOf(folder: string): string[] {
  return ifThere(() => readdirSync(folder)) ?? [];
}
