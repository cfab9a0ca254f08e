import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findPlace } from '../../../src/explain/namespace.js';

const WORDS = ['ip', 'route'];
const ABSENT = 1;

let root: string;
beforeEach(() => {
  root = `${mkdtempSync(join(tmpdir(), 'rpftrace-namespace-'))}/`;
});
afterEach(() => rmSync(root, { recursive: true }));

/** Returns the inode number: a file stands for a network namespace. */
function make(file: string): number {
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(join(root, file), '');
  return statSync(join(root, file)).ino;
}

describe('a command', () => {
  it('runs as it is in our own network namespace, or where none is told', () => {
    expect(findPlace(7, 7, root).command(WORDS)).toBe('ip route');
    expect(findPlace(undefined, 7, root).command(WORDS)).toBe('ip route');
  });

  it('goes by the name of another one', () => {
    make('run/netns/other');
    const place = findPlace(make('run/netns/cni-1'), ABSENT, root);
    expect(place.command(WORDS)).toBe('ip netns exec cni-1 ip route');
    expect(place.where).toBeUndefined();
  });

  it('goes by a process in it where it has no name', () => {
    const place = findPlace(make('proc/4321/ns/net'), ABSENT, root);
    expect(place.command(WORDS)).toBe('nsenter --net=/proc/4321/ns/net ip route');
    const docker = findPlace(make('run/docker/netns/abc'), ABSENT, root);
    expect(docker.command(WORDS)).toBe('nsenter --net=/run/docker/netns/abc ip route');
  });

  it('says where to run it when there is neither', () => {
    const place = findPlace(make('elsewhere'), ABSENT, root);
    expect(place.command(WORDS)).toBe('ip route');
    expect(place.where).toContain('neither a name nor a process');
  });
});
