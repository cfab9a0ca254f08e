import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';

export const ALL = 'net.ipv4.conf.all.rp_filter';
export const LXC = 'net.ipv4.conf.lxcabcd.rp_filter';

/** A file system of its own for each test of the file that calls it. */
export function useRoot(): { readonly path: string; write(file: string, text: string, mode?: number): void } {
  let root = '';
  beforeEach(() => {
    root = `${mkdtempSync(join(tmpdir(), 'rpftrace-persist-'))}/`;
  });
  afterEach(() => rmSync(root, { recursive: true }));
  return {
    get path() {
      return root;
    },
    write(file, text, mode = 0o644) {
      mkdirSync(dirname(join(root, file)), { recursive: true });
      writeFileSync(join(root, file), text);
      chmodSync(join(root, file), mode);
    },
  };
}
