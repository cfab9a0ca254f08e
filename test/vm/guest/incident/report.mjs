import { isDeepStrictEqual } from 'node:util';

let passed = 0;
let failed = 0;

/** What is about to happen, for people. */
export function say(words) {
  process.stdout.write(`\n# ${words}\n`);
}

/** A line as rpftrace, a command or the kernel has it. */
export function show(line) {
  process.stdout.write(`${line}\n`);
}

/** A claim that holds or does not. `found` is printed either way. */
export function check(what, found, holds) {
  const isTrue = typeof holds === 'function' ? holds(found) : isDeepStrictEqual(found, holds);
  if (isTrue) passed++;
  else failed++;
  const text = typeof found === 'string' ? found : JSON.stringify(found);
  process.stdout.write(`  ${isTrue ? 'ok    ' : 'NOT OK'}  ${what}: ${text ?? 'nothing'}\n`);
  if (!isTrue && typeof holds !== 'function')
    process.stdout.write(`          expected: ${JSON.stringify(holds)}\n`);
}

/** Something that could not be done at all. */
export function fail(error) {
  failed++;
  process.stdout.write(`  NOT OK  ${error?.stack ?? error}\n`);
}

/** The last line, and the exit code. */
export function finish() {
  process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
  process.exitCode = failed === 0 ? 0 : 1;
}
