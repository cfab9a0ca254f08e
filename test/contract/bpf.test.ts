import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const FOLDER = join(import.meta.dirname, '..', '..', 'native', 'bpf');

/** Linux before 5.12 takes no global functions with pointers: compat.h says what a function has to be there. */
test.each(readdirSync(FOLDER).filter((name) => name !== 'compat.h'))(
  '%s: functions of their own are rpf_function',
  (name) => {
    expect(readFileSync(join(FOLDER, name), 'utf8')).not.toContain('__noinline');
  },
);
