import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDirectory } from '../../fixtures/directory.js';

/** An executable shell script, whose name is that of its process; gone when the test is. */
export function script(name: string, text: string): string {
  const file = join(temporaryDirectory(), name);
  writeFileSync(file, `#!/bin/sh\n${text}\n`);
  chmodSync(file, 0o755);
  return file;
}
