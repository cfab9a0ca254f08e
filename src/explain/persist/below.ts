import { readlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ifThere } from '../../if-there.js';

/**
 * The path that a file has from here: links that begin with a slash begin at `root`, which ends in one, as they do for those who
 * live there. Throws ELOOP where they lead in a circle.
 */
export function below(root: string, path: string): string {
  if (root === '/') return path;
  let left = path.split('/');
  let at = '/';
  for (let links = 0; left.length > 0; ) {
    const [name = '', ...rest] = left;
    left = rest;
    const next = join(at, name);
    const target = ifThere(() => readlinkSync(`${root}${next.slice(1)}`));
    if (target === undefined) {
      at = next;
      continue;
    }
    if (++links > MAX_LINKS) throw Object.assign(new Error('its links lead in a circle'), { code: 'ELOOP' });
    left = [...target.split('/'), ...rest];
    at = target.startsWith('/') ? '/' : dirname(next);
  }
  return `${root}${at.slice(1)}`;
}

/** MAXSYMLINKS, include/linux/namei.h */
const MAX_LINKS = 40;
