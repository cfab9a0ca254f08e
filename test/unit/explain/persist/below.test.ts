import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { below } from '../../../../src/explain/persist/below.js';
import { findPersisted } from '../../../../src/explain/persist.js';
import { ALL, useRoot } from './root.js';

const root = useRoot();

function link(path: string, target: string): void {
  mkdirSync(dirname(join(root.path, path)), { recursive: true });
  symlinkSync(target, join(root.path, path));
}

describe('a file of another root', () => {
  it.each([
    ['itself', 'etc/a.conf', undefined],
    ['behind a link that begins with a slash', 'etc/link.conf', '/etc/a.conf'],
    ['behind one that does not', 'etc/link.conf', '../etc/a.conf'],
    ['behind one that would leave the root', 'etc/link.conf', '../../../etc/a.conf'],
  ])('is found %s', (_where, path, target) => {
    root.write('etc/a.conf', 'of the node');
    if (target) link(path, target);
    expect(readFileSync(below(root.path, `/${path}`), 'utf8')).toBe('of the node');
  });

  it('is found in a folder that is a link', () => {
    root.write('usr/lib/x/a.conf', 'of the node');
    link('lib', '/usr/lib');
    expect(readFileSync(below(root.path, '/lib/x/a.conf'), 'utf8')).toBe('of the node');
  });

  it('is none where its links lead in a circle', () => {
    link('etc/a.conf', '/etc/b.conf');
    link('etc/b.conf', 'a.conf');
    expect(() => below(root.path, '/etc/a.conf')).toThrow(/circle/);
  });

  it('keeps its path where it is our own root', () => {
    expect(below('/', '/etc/sysctl.conf')).toBe('/etc/sysctl.conf');
  });
});

it('the line of a file behind such a link is told by the name that people know it by', () => {
  root.write('srv/settings.conf', `${ALL} = 1\n`);
  link('etc/sysctl.d/50-linked.conf', '/srv/settings.conf');
  expect(findPersisted([ALL], root.path)).toEqual([
    { file: '/etc/sysctl.d/50-linked.conf', line: 1, key: ALL, value: '1', by: 'sysctl' },
  ]);
});
