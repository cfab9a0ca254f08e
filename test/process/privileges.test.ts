import { afterAll, describe, expect, it } from 'vitest';
import { DropSource } from './support/drops.js';
import { asNobody, canBeRootless, hiding, rootless, without, withoutBpf } from './support/privileges.js';
import {
  emitted,
  Program,
  parseEvents,
  type RunOptions,
  root,
  rpftrace,
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

  it('for root without CAP_BPF and CAP_PERFMON but with CAP_SYS_ADMIN, as before Linux 5.8', async () => {
    const trace = await startTrace(['-o', 'ndjson', '--netns', source.path], without('bpf', 'perfmon'));
    await source.drop(100);
    expect(emitted(parseEvents((await trace.stop()).stdout))).toBe(100);
  });
});
