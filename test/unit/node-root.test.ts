import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nodeRoot } from '../../src/node-root.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rpfroot-'));
  for (const name of ['own', 'node']) mkdirSync(join(folder, name));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** `first` is what /proc/1/root leads to. */
function places(first: 'own' | 'node' | 'nowhere') {
  symlinkSync(join(folder, first), join(folder, 'first'));
  const at = (name: string) => `${join(folder, name)}/`;
  return { own: at('own'), first: at('first'), mounted: at('mounted') };
}

describe('the root of the node', () => {
  it('is our own where the first process has the same', () => {
    const all = places('own');
    mkdirSync(join(folder, 'mounted', 'etc'), { recursive: true });
    expect(nodeRoot(all)).toBe(all.own);
  });

  it('is that of the first process in a container that sees the processes of the node', () => {
    const all = places('node');
    expect(nodeRoot(all)).toBe(all.first);
  });

  it('is where it is mounted, if the first process may not be looked into', () => {
    const all = places('nowhere');
    mkdirSync(join(folder, 'mounted', 'etc'), { recursive: true });
    expect(nodeRoot(all)).toBe(all.mounted);
  });

  it('is our own where nothing else is seen', () => {
    const all = places('nowhere');
    expect(nodeRoot(all)).toBe(all.own);
  });
});
