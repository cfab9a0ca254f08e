import { TracerError } from '../errors.js';
import { readNamedFile } from '../named-file.js';

/** Where the token is. No message ever shows it. */
export interface TokenPlace {
  readonly file: string | undefined;
  readonly environment: string | undefined;
}

/** Reads the token, a file anew each time. Throws E_USAGE, now for what can be seen now. */
export function tokenReader({ file, environment }: TokenPlace): () => string | undefined {
  if (file !== undefined && environment !== undefined)
    throw new TracerError('E_USAGE', 'a token comes by --token-file or by RPFTRACE_TOKEN, not by both');
  const read = () => (file === undefined ? environment : readNamedFile(file, 'E_USAGE').trim());
  check(read());
  return () => check(read());
}

function check(token: string | undefined): string | undefined {
  if (token === undefined || /^[\x21-\x7e]{1,4096}$/.test(token)) return token;
  throw new TracerError('E_USAGE', 'the token is empty, or such as no header can carry');
}
