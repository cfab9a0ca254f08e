import { readFileSync } from 'node:fs';

export interface Mount {
  readonly path: string;
  readonly type: string;
}

/** What is mounted, as this process sees it, in the order in which it was mounted. */
export function mounts(): Mount[] {
  const lines = readFileSync('/proc/self/mounts', 'utf8').trimEnd().split('\n');
  return lines.map((line) => {
    const [, path = '', type = ''] = line.split(' ');
    return { path, type };
  });
}
