import { getSystemErrorMap } from 'node:util';

/** "operation not permitted", of a negative errno. */
export function errorWords(errno: number): string {
  return getSystemErrorMap().get(errno)?.[1] ?? `errno ${-errno}`;
}
