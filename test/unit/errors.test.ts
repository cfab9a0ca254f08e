import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { exitCodeOf, formatError, TracerError, toTracerError } from '../../src/errors.js';

const COMPATIBILITY = new URL('../../docs/compatibility.md', import.meta.url);

describe('TracerError', () => {
  test('is told with its code and numbered remedies', () => {
    const error = new TracerError('E_NO_BTF', 'no BTF at /sys/kernel/btf/vmlinux', {
      remedies: ['one', 'two'],
    });
    expect(formatError(error)).toBe(
      'rpftrace: no BTF at /sys/kernel/btf/vmlinux [E_NO_BTF]\nWhat to do:\n  1. one\n  2. two',
    );
  });

  test.each([
    ['E_OUTPUT', 1],
    ['E_INTERNAL', 1],
    ['E_USAGE', 2],
    ['E_UNKNOWN_REASON', 2],
    ['E_UNKNOWN_DEVICE', 2],
    ['E_UNKNOWN_NETNS', 2],
    ['E_EXPRESSION', 2],
    ['E_NOT_LINUX', 3],
    ['E_NO_BTF', 3],
    ['E_MISSING_CAPABILITY', 3],
    ['E_LOCKDOWN', 3],
    ['E_KERNEL_TOO_OLD', 3],
    ['E_BPF_REFUSED', 3],
    ['E_ADDON_MISSING', 3],
    ['E_NO_PLACE', 3],
    ['E_LAYOUT_MISMATCH', 3],
    ['E_READER_GONE', 0],
  ] as const)('%s ends the program with %i', (code, exitCode) => {
    expect(exitCodeOf(new TracerError(code, 'x'))).toBe(exitCode);
  });

  test.each([
    'E_NOT_LINUX',
    'E_NO_BTF',
    'E_MISSING_CAPABILITY',
    'E_LOCKDOWN',
    'E_KERNEL_TOO_OLD',
    'E_BPF_REFUSED',
  ] as const)('%s says what to do', (code) => {
    expect(new TracerError(code, 'x').remedies.length).toBeGreaterThan(0);
  });
});

describe('remedies', () => {
  test('ask for the kernel that docs/compatibility.md asks for', () => {
    const tooOld = /^\| up to 5\.(\d+) /m.exec(readFileSync(COMPATIBILITY, 'utf8'))?.[1];
    expect(new TracerError('E_KERNEL_TOO_OLD', 'x').remedies[0]).toBe(
      `use Linux 5.${Number(tooOld) + 1} or newer`,
    );
  });

  test('of a refusal name the user namespace, which no message of the kernel does', () => {
    expect(new TracerError('E_BPF_REFUSED', 'x').remedies.join()).toContain('user namespace');
  });
});

describe('toTracerError', () => {
  test('keeps the code of an error of the addon', () => {
    const thrown = Object.assign(new Error('CAP_BPF is missing'), { code: 'E_MISSING_CAPABILITY', errno: 1 });
    expect(toTracerError(thrown)).toMatchObject({
      code: 'E_MISSING_CAPABILITY',
      message: 'CAP_BPF is missing',
    });
  });

  test('anything else is internal', () => {
    expect(toTracerError(Object.assign(new Error('x'), { code: 'ENOENT' })).code).toBe('E_INTERNAL');
    expect(toTracerError('text')).toMatchObject({ code: 'E_INTERNAL', message: 'text' });
  });
});
