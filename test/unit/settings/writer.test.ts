import { mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Cgroups, describeCgroup, pathInProc } from '../../../src/settings/cgroups.js';
import { Writers } from '../../../src/settings/writer.js';
import type { SysctlFields } from '../../fixtures/batch.js';
import { temporaryDirectory } from '../../fixtures/directory.js';
import { readerOf } from '../../fixtures/world.js';

const POD = '/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice';
const ID = 'ab'.repeat(32);

describe('a writer', () => {
  test('that is gone is known by its record', () => {
    expect(describeWriter({ cgroup: ['tuned.service', 'system.slice'] })).toEqual({
      pid: 812,
      comm: 'tuned',
      exe: '/usr/sbin/tuned',
      exe_from: 'record',
      cmdline: ['/usr/sbin/tuned', '-l', '-P'],
      parents: [{ pid: 1, comm: 'systemd' }],
      uid: 0,
      cgroup: '/system.slice/tuned.service',
      systemd_unit: 'tuned.service',
      netns: 4_026_531_840,
    });
  });

  test('that still lives is known by /proc, too', () => {
    const proc = procOf(
      812,
      ['/usr/sbin/tuned', '-l', '-P'],
      '/opt/tuned',
      '0::/system.slice/tuned.service\n',
    );
    expect(describeWriter({}, proc)).toMatchObject({
      exe: '/opt/tuned',
      exe_from: 'proc',
      cgroup: '/system.slice/tuned.service',
      systemd_unit: 'tuned.service',
    });
  });

  test('whose number is another’s by now is not taken for that one', () => {
    const proc = procOf(812, ['nginx'], '/usr/sbin/nginx', '0::/system.slice/nginx.service\n');
    expect(describeWriter({}, proc)).toMatchObject({ exe: '/usr/sbin/tuned', exe_from: 'record' });
    expect(describeWriter({}, proc)).not.toHaveProperty('systemd_unit');
  });

  test('whose command line did not fit has all of it while it lives, and else says that it is cut', () => {
    const words = ['sh', '-c', 'x'.repeat(400)];
    const cut = { args: words, argsCut: true };
    expect(describeWriter(cut, procOf(812, words, '/bin/sh', '')).cmdline).toEqual(words);
    expect(describeWriter(cut)).toMatchObject({ cmdline_cut: true, exe_from: 'record' });
  });

  test('that wrote into its own command line is told with the one that it was executed with', () => {
    const typed = ['sysctl', '-w', 'net.ipv4.conf.all.rp_filter=1'];
    const write = { exe: ['sysctl', 'sbin'], args: ['sysctl', '-w', 'net.ipv4.conf.all.rp_filter', '1'] };
    const cmdlineAfter = (execution: SysctlFields) => {
      const executed = { find: () => readerOf({ ...write, args: typed, timeNs: 1n, ...execution }) };
      const proc = temporaryDirectory();
      return new Writers({ proc, executed }).describe(readerOf(write)).cmdline;
    };
    expect(cmdlineAfter({})).toEqual(typed);
    expect(cmdlineAfter({ pid: 813 })).toEqual(write.args);
    expect(cmdlineAfter({ exe: ['sh', 'bin'] })).toEqual(write.args);
    expect(cmdlineAfter({ timeNs: 9_000_000_000n })).toEqual(write.args);
    expect(cmdlineAfter({ argsCut: true })).toEqual(write.args);
  });

  test('without a program of its own has neither file nor command line', () => {
    const writer = describeWriter({ args: [], exe: [] });
    expect(writer).not.toHaveProperty('exe');
    expect(writer).not.toHaveProperty('cmdline');
  });

  test('of a unit that is done is known by the names in its record; the root of all cgroups has none', () => {
    expect(describeWriter({ cgroup: ['systemd-sysctl.service', 'system.slice'] })).toMatchObject({
      cgroup: '/system.slice/systemd-sysctl.service',
      systemd_unit: 'systemd-sysctl.service',
    });
    expect(describeWriter({ cgroup: [] }).cgroup).toBe('/');
  });

  test('whose cgroup has more names than fit is found by its id, or told by what fits', () => {
    const root = temporaryDirectory();
    mkdirSync(join(root, 'a/b/c/d/e/x.service'), { recursive: true });
    const cgroupId = statSync(join(root, 'a/b/c/d/e/x.service'), { bigint: true }).ino;
    const fields = { cgroup: ['x.service', 'e', 'd', 'c', 'b'], cgroupCut: true };
    const there = describeWriter({ ...fields, cgroupId }, temporaryDirectory(), root);
    expect(there).toMatchObject({ cgroup: '/a/b/c/d/e/x.service', systemd_unit: 'x.service' });
    const gone = describeWriter({ ...fields, cgroupId: 0n }, temporaryDirectory(), root);
    expect(gone).toMatchObject({
      cgroup_unknown: 'the process and its cgroup are gone',
      systemd_unit: 'x.service',
    });
  });
});

test('without cgroup v2 this is said', () => {
  expect(new Cgroups(null).find(1n)).toEqual({ why: 'no cgroup v2 hierarchy is mounted here' });
});

test.each([
  ['0::/system.slice/a.service\n', '/system.slice/a.service'],
  ['5:pids:/x\n1:name=systemd:/system.slice/a.service\n0::/\n', '/system.slice/a.service'],
  ['8:pids:/\n4:memory:/box/7e53\n1:name=systemd:/\n0::/\n', '/box/7e53'],
  ['0::/\n', '/'],
  ['', undefined],
])('of the paths in %j the one that tells most is taken', (text, path) => {
  expect(pathInProc(text)).toBe(path);
});

test.each([
  ['/system.slice/tuned.service', { systemd_unit: 'tuned.service' }],
  ['/user.slice/user-0.slice/session-3.scope', { systemd_unit: 'session-3.scope' }],
  ['/user.slice/user@1000.service/app.slice/x.service', { systemd_unit: 'x.service' }],
  [`${POD}/cri-containerd-${ID}.scope`, { container_id: ID }],
  [`/system.slice/docker-${ID}.scope/init`, { container_id: ID }],
  [`/kubepods/burstable/pod1/${ID}`, { container_id: ID }],
  ['/', {}],
])('%s tells unit and container', (path, told) => {
  expect(describeCgroup(path)).toEqual(told);
});

function describeWriter(fields: SysctlFields, proc = temporaryDirectory(), root = temporaryDirectory()) {
  return new Writers({ proc, cgroups: new Cgroups(root) }).describe(readerOf(fields));
}

function procOf(pid: number, words: string[], exe: string, cgroup: string): string {
  const proc = temporaryDirectory();
  const folder = join(proc, String(pid));
  mkdirSync(folder);
  writeFileSync(join(folder, 'cmdline'), words.map((word) => `${word}\0`).join(''));
  writeFileSync(join(folder, 'cgroup'), cgroup);
  symlinkSync(exe, join(folder, 'exe'));
  return proc;
}
