import { afterAll, describe, expect, it } from 'vitest';
import { DropSource } from './support/drops.js';
import {
  asNobody,
  canBeRootless,
  hiding,
  onlyWith,
  rootless,
  threadsOf,
  without,
  withoutBpf,
} from './support/privileges.js';
import {
  emitted,
  Program,
  parseEvents,
  type RunOptions,
  root,
  rpftrace,
  startOf,
  startTrace,
  stopOf,
} from './support/program.js';

const source = new DropSource();

afterAll(() => source.remove());

describe('what is missing ends with 3, is named, and comes with numbered remedies', () => {
  it.each<[string, RunOptions, string, string]>([
    ['everything, for nobody', asNobody(), 'E_MISSING_CAPABILITY', 'missing CAP_BPF and CAP_PERFMON'],
    ['CAP_PERFMON, for nobody with CAP_BPF', asNobody('bpf'), 'E_MISSING_CAPABILITY', 'missing CAP_PERFMON'],
    ['CAP_BPF, for nobody with CAP_PERFMON', asNobody('perfmon'), 'E_MISSING_CAPABILITY', 'missing CAP_BPF'],
    ['CAP_BPF, for root', without('bpf', 'sys_admin'), 'E_MISSING_CAPABILITY', 'missing CAP_BPF'],
    ['CAP_PERFMON, for root', without('perfmon', 'sys_admin'), 'E_MISSING_CAPABILITY', 'missing CAP_PERFMON'],
    ['bpf(), refused by seccomp', withoutBpf, 'E_BPF_REFUSED', 'not permitted'],
    ['BTF', hiding('/sys/kernel/btf'), 'E_NO_BTF', '/sys/kernel/btf/vmlinux'],
    [
      'the addon',
      hiding(`${root}/build/Release`),
      'E_ADDON_MISSING',
      'build/Release/rpftrace.node: no such file',
    ],
  ])('%s', expectRefusal);

  it.runIf(canBeRootless)('the real root, in a rootless container', async () => {
    await expectRefusal('', rootless, 'E_BPF_REFUSED', 'not permitted');
  });

  async function expectRefusal(_what: string, options: RunOptions, code: string, words: string) {
    const ended = await rpftrace(['trace', '-o', 'ndjson', '--duration', '60s'], options);

    expect(ended.code).toBe(3);
    expect(ended.stdout).toBe('');
    expect(ended.stderr).toContain(`[${code}]`);
    expect(ended.stderr).toContain(words);
    expect(ended.stderr).toMatch(/^ {2}1\. \S/m);
  }
});

/** Of docs/privileges.md, in the words of setpriv. */
const documented = ['bpf', 'perfmon', 'net_admin', 'sys_admin', 'sys_ptrace', 'dac_read_search'];

describe('what is there is enough', () => {
  it('for nobody with CAP_BPF and CAP_PERFMON, who sees drops but not every counter of the kernel', async () => {
    const args = ['trace', '-o', 'ndjson', '--netns', String(source.inode)];
    const trace = new Program(args, asNobody('bpf', 'perfmon'));
    await trace.until(({ stdout }) => stdout.includes('"kind":"start"'));
    await source.drop(100);
    const events = parseEvents((await trace.stop()).stdout);

    expect(emitted(events)).toBe(100);
    expect(stopOf(events)).toMatchObject({ conservation: { holds: true }, reconciled: null });
  });

  it.each<[string, RunOptions, string[], Record<string, string[]>]>([
    [
      'root with CAP_BPF and CAP_PERFMON',
      onlyWith('bpf', 'perfmon'),
      ['CAP_NET_ADMIN', 'CAP_SYS_ADMIN', 'CAP_SYS_PTRACE'],
      {
        writer: ['CAP_NET_ADMIN'],
        netfilter_rules: ['CAP_NET_ADMIN'],
        other_namespaces: ['CAP_SYS_ADMIN'],
        other_processes: ['CAP_SYS_PTRACE'],
      },
    ],
    [
      'root with CAP_NET_ADMIN besides',
      onlyWith('bpf', 'perfmon', 'net_admin'),
      ['CAP_SYS_ADMIN', 'CAP_SYS_PTRACE'],
      { other_namespaces: ['CAP_SYS_ADMIN'], other_processes: ['CAP_SYS_PTRACE'] },
    ],
    [
      'nobody with these and CAP_SYS_PTRACE',
      asNobody('bpf', 'perfmon', 'net_admin', 'sys_ptrace'),
      ['CAP_SYS_ADMIN', 'CAP_DAC_READ_SEARCH'],
      { other_namespaces: ['CAP_SYS_ADMIN'], other_files: ['CAP_DAC_READ_SEARCH'] },
    ],
    ['root with all that docs/privileges.md names', onlyWith(...documented), [], {}],
  ])('for %s, and start says what more would give', async (_who, options, missing, features) => {
    const args = ['trace', '-o', 'ndjson', '--netns', String(source.inode)];
    const trace = new Program(args, options);
    await trace.until(({ stdout }) => stdout.includes('"kind":"start"'));
    await source.drop(100);
    const { stdout, stderr } = await trace.stop();
    const events = parseEvents(stdout);
    const lacks = startOf(events).degraded.filter((one) => one.missing !== undefined);

    expect(emitted(events)).toBe(100);
    expect(Object.fromEntries(lacks.map((one) => [one.feature, one.missing]))).toEqual(features);
    if (missing.length > 0)
      expect(stderr).toContain(
        `rpftrace: ${missing.join(', ')} would give more of that: see docs/privileges.md\n`,
      );
    else expect(stderr).not.toContain('CAP_');
  });

  it('for root without CAP_BPF and CAP_PERFMON but with CAP_SYS_ADMIN, as before Linux 5.8', async () => {
    const trace = await startTrace(['-o', 'ndjson', '--netns', source.path], without('bpf', 'perfmon'));
    await source.drop(100);
    expect(emitted(parseEvents((await trace.stop()).stdout))).toBe(100);
  });
});

describe('once all is attached', () => {
  const kept = { dac_read_search: 2, net_admin: 12, sys_ptrace: 19, sys_admin: 21 };
  const setOf = (...bits: number[]) => bits.reduce((set, bit) => set | (1n << BigInt(bit)), 0n);

  it.each<[string, RunOptions, bigint]>([
    ['root', {}, setOf(...Object.values(kept))],
    ['nobody', asNobody('bpf', 'perfmon', 'net_admin'), setOf(kept.net_admin)],
  ])('no thread of %s may do more than it has to', async (_who, options, set) => {
    const trace = new Program(['trace', '-o', 'ndjson', '--netns', String(source.inode)], options);
    await trace.until(({ stdout }) => stdout.includes('"kind":"start"'));
    const found = threadsOf(trace.pid);
    await trace.stop();

    // Node alone has ten; the reader of the ring and the workers of libuv come to that.
    expect(found.length).toBeGreaterThan(6);
    for (const thread of found) {
      expect(thread).toMatchObject({ effective: set, permitted: set, inheritable: 0n, ambient: 0n });
    }
  });

  it('a program that it starts gets nothing, be it setuid', async () => {
    const trace = await startTrace(['-o', 'ndjson', '--netns', source.path]);
    const found = threadsOf(trace.pid);
    await trace.stop();

    for (const thread of found) expect(thread).toMatchObject({ bounding: 0n, noNewPrivs: '1' });
  });

  it('root that writes files can still write them into folders of others', async () => {
    const trace = await startTrace(['-o', 'ndjson', '--netns', source.path]); // with a ready file
    const found = threadsOf(trace.pid);
    await trace.stop();

    const set = setOf(...Object.values(kept), 1);
    for (const thread of found) expect(thread).toMatchObject({ effective: set, permitted: set });
  });

  it('all are kept for who wants that', async () => {
    const mine = threadsOf(process.pid)[0]?.permitted;
    const trace = await startTrace(['-o', 'ndjson', '--keep-capabilities', '--netns', source.path]);
    const found = threadsOf(trace.pid);
    await trace.stop();

    for (const thread of found) expect(thread).toMatchObject({ permitted: mine, noNewPrivs: '0' });
  });
});
