import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { getAsset, isSea } from 'node:sea';
import { namelessCopy } from './nameless.js';
import { ROOT } from './root.js';

const copies = new Map<string, string>();

/**
 * The path of a file of this package, by its path in the package. The single-file executable has it inside of itself, and makes a
 * copy the first time: throws E_NO_PLACE where it cannot.
 */
export function packageFile(name: string): string {
  if (!isSea()) return join(ROOT, name);
  const made = copies.get(name) ?? namelessCopy(new Uint8Array(getAsset(name)));
  copies.set(name, made);
  return made;
}

/** What a text file of this package says. */
export function packageText(name: string): string {
  return isSea() ? getAsset(name, 'utf8') : readFileSync(join(ROOT, name), 'utf8');
}
