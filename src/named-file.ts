import { readFileSync } from 'node:fs';
import { type ErrorCode, TracerError } from './errors.js';

/** The text of a file that somebody named. Throws a TracerError with this code. */
export function readNamedFile(path: string, code: ErrorCode): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new TracerError(code, `cannot read ${path}: ${(error as Error).message}`, { cause: error });
  }
}
