import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { bitsOf, CAPABILITIES, readHeld } from '../../../src/privileges/capabilities.js';
import { keptWhileTracing } from '../../../src/privileges/kept.js';
import { lacksOf, missingFor } from '../../../src/privileges/lacks.js';
import { temporaryDirectory } from '../../fixtures/directory.js';

const all = CAPABILITIES.map(({ name }) => name);

function rootWith(status: string): string {
  const root = `${temporaryDirectory()}/`;
  mkdirSync(`${root}proc/self`, { recursive: true });
  writeFileSync(`${root}proc/self/status`, status);
  return root;
}

describe('the capabilities that a process has', () => {
  test('are those in effect, not those that it may put in effect', () => {
    const status = 'Name:\tnode\nCapInh:\t0\nCapPrm:\t000001ffffffffff\nCapEff:\t000000c000201000\n';
    expect([...readHeld(rootWith(status))].sort()).toEqual([
      'CAP_BPF',
      'CAP_NET_ADMIN',
      'CAP_PERFMON',
      'CAP_SYS_ADMIN',
    ]);
  });

  test('are taken to be all where they cannot be read: the kernel will tell', () => {
    expect([...readHeld('/nowhere/')]).toEqual(all);
    expect([...readHeld(rootWith('Name:\tnode\n'))]).toEqual(all);
  });

  test('have the numbers of linux/capability.h', () => {
    const header = readFileSync('/usr/include/linux/capability.h', 'utf8');
    const numbers = all.map((name) =>
      Number(new RegExp(`^#define ${name}\\s+(\\d+)`, 'm').exec(header)?.[1]),
    );
    expect(CAPABILITIES.map(({ bit }) => bit)).toEqual(numbers);
  });

  test('stand in docs/privileges.md, all of them and in this order', () => {
    const docs = readFileSync(new URL('../../../docs/privileges.md', import.meta.url), 'utf8');
    expect([...docs.matchAll(/^\| `(CAP_\w+)` \|/gm)].map(([, name]) => name)).toEqual(all);
  });
});

describe('what is lost', () => {
  test('is nothing where all are held', () => {
    expect(lacksOf(new Set(all), false)).toEqual([]);
    expect(missingFor(-1, 'CAP_NET_ADMIN', new Set(all))).toBeUndefined();
  });

  test('does not count files for root, who owns those that matter', () => {
    const features = (isRoot: boolean) => lacksOf(new Set(), isRoot).map(({ feature }) => feature);
    expect(features(false).filter((feature) => !features(true).includes(feature))).toEqual(['other_files']);
  });

  test('is put down to a capability only where the kernel said that something is not permitted', () => {
    expect(missingFor(-1, 'CAP_NET_ADMIN', new Set())).toEqual({ missing: ['CAP_NET_ADMIN'] });
    expect(missingFor(-22, 'CAP_NET_ADMIN', new Set())).toBeUndefined();
    expect(missingFor(-1, 'CAP_NET_ADMIN', new Set(['CAP_SYS_ADMIN'] as const))).toBeUndefined();
    expect(missingFor(-1, 'CAP_SYSLOG', new Set(['CAP_SYS_ADMIN'] as const))).toBeDefined();
  });
});

test('what loads programs is not kept, and what writes into folders of others only for who does so', () => {
  const kept = keptWhileTracing({ writesFiles: false, isRoot: true });
  expect(kept & bitsOf(['CAP_BPF', 'CAP_PERFMON', 'CAP_DAC_OVERRIDE', 'CAP_SYS_RESOURCE'])).toBe(0n);
  expect(keptWhileTracing({ writesFiles: true, isRoot: true })).toBe(kept | bitsOf(['CAP_DAC_OVERRIDE']));
  expect(keptWhileTracing({ writesFiles: false, isRoot: false })).toBe(kept | bitsOf(['CAP_DAC_OVERRIDE']));
});
