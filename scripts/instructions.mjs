/**
 * Counts the instructions of the BPF programs, as this machine's clang and the newest of Debian compile them:
 *
 *     npm run instructions -- [--write]
 *
 * --write records them in test/fixtures/instructions.json, which test/contract/instructions.test.ts holds the build against.
 * Needs root: the newest clang lies in a root of its own.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newestClang } from '../test/vm/lib/clang.mjs';
import { isRoot, main, root, run, Stop } from './lib/command.mjs';
import { installDebianPackages } from './lib/debian.mjs';
import { compilerName, countInstructions, OBJECTS, RECORD } from './lib/instructions.mjs';

await main(async () => {
  if (!isRoot()) throw new Stop('the newest clang needs root: it lies in a root file system of its own', 3);
  installDebianPackages(['build', 'package']);
  const compilers = [process.env.CLANG ?? 'clang', await newestClang()];
  const counts = Object.fromEntries(compilers.map((clang) => [compilerName(clang), countWith(clang)]));
  if (process.argv.includes('--write')) writeFileSync(RECORD, `${JSON.stringify(counts, null, 2)}\n`);
  for (const [compiler, objects] of Object.entries(counts)) {
    for (const [object, functions] of Object.entries(objects))
      process.stdout.write(`${compiler}, ${object}: ${sum(functions)} instructions\n`);
  }
});

function countWith(clang) {
  // Inside of the checkout: the newest clang sees nothing else of this machine.
  mkdirSync(join(root, 'build'), { recursive: true });
  const directory = mkdtempSync(join(root, 'build', 'instructions-'));
  try {
    run(process.execPath, ['scripts/build-bpf.mjs', directory], { CLANG: clang });
    return Object.fromEntries(
      OBJECTS.map((object) => [object, countInstructions(join(directory, `rpftrace.${object}.bpf.o`))]),
    );
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function sum(functions) {
  return Object.values(functions).reduce((total, count) => total + count, 0);
}
