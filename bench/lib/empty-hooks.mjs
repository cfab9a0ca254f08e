import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

/**
 * Does the work while programs that do nothing are attached: [TIMES*]KIND/FUNCTION[,KIND/FUNCTION]. Resolves to what it returned, or to {refused} where the kernel takes
 * one of them not.
 */
export async function withEmptyHooks(name, work) {
  const [, times = '1', hooks] = /^(?:(\d+)\*)?(.+)$/.exec(name);
  const child = spawn(join(process.env.BENCH_PROGRAMS, 'empty_hooks'), [times, ...hooks.split(',')]);
  const [ended, said] = [once(child, 'close'), text(child.stderr)];
  try {
    const isAttached = await Promise.race([
      once(child.stdout, 'data').then(() => true),
      ended.then(() => false),
    ]);
    if (isAttached) return await work();
    if (child.exitCode !== REFUSED) throw new Error(`${name}: ${(await said).trim()}`);
    return { refused: (await said).trim() };
  } finally {
    child.stdin.end();
    await ended;
  }
}

/** Of empty_hooks.c. */
const REFUSED = 3;
