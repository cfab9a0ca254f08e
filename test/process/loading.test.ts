import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { bpfObjectsOf, stillThere } from './support/bpf-objects.js';
import { DropSource } from './support/drops.js';
import { emitted, Program, parseEvents, startTrace, stopOf } from './support/program.js';

const source = new DropSource();
const folder = mkdtempSync(join(tmpdir(), 'loading-'));
const readyFile = join(folder, 'ready');

afterAll(() => {
  source.remove();
  rmSync(folder, { recursive: true });
});

/** Programs, maps and links of an attached trace: some 28. */
const MOMENTS = [1, 10, 20];

describe('in the middle of attaching', () => {
  it.each(MOMENTS)('kill -9 leaves nothing in the kernel (after %i objects)', async (moment) => {
    const { trace, objects } = await startUntil(moment);
    await trace.stop('SIGKILL');
    await expectGone(objects);
  });

  it.each(
    (['SIGINT', 'SIGTERM', 'SIGHUP'] as const).flatMap((signal) =>
      MOMENTS.map((moment) => [signal, moment] as const),
    ),
  )('%s ends it in good order (after %i objects)', async (signal, moment) => {
    const { trace, objects } = await startUntil(moment);
    const { code, stdout } = await trace.stop(signal);

    expect(code).toBe(0);
    expect(stopOf(parseEvents(stdout))).toMatchObject({ why: 'signal', signal });
    expect(existsSync(readyFile)).toBe(false);
    await expectGone(objects);
  });
});

it.each([
  ['by default', []],
  ['with all that decides about it', ['--every', '--snaplen', '96', '--interval', '2000', 'udp']],
])('all is loaded once (%s)', async (_what, args) => {
  const { trace, objects } = await startUntil(20, args);
  await vi.waitFor(() => expect(existsSync(readyFile)).toBe(true), { timeout: 10_000 });
  const attached = bpfObjectsOf(trace.pid);
  await trace.stop();

  // Some are there for a moment only: what the kernel can do is tried first.
  expect(objects.filter((object) => attached.includes(object)).length).toBeGreaterThan(10);
});

it.each([
  ['none', '0'],
  ['64 KiB, as many distributions have it', '65536'],
])('locked memory needs no limit that is higher than %s, since Linux 5.11', async (_what, bytes) => {
  const trace = await startTrace(['-o', 'ndjson', '--netns', source.path], {
    under: ['prlimit', `--memlock=${bytes}:${bytes}`],
  });
  await source.drop(10);
  expect(emitted(parseEvents((await trace.stop()).stdout))).toBe(10);
});

/** Starts a trace, and returns as soon as it has so many objects in the kernel, with those that there are then. */
async function startUntil(
  count: number,
  args: readonly string[] = [],
): Promise<{ trace: Program; objects: readonly string[] }> {
  const trace = new Program([
    ...['trace', '-o', 'ndjson', '--netns', source.path, '--ready-file', readyFile],
    ...args,
  ]);
  for (;;) {
    const objects = bpfObjectsOf(trace.pid);
    if (objects.length >= count) {
      expect(existsSync(readyFile)).toBe(false); // not attached yet
      return { trace, objects };
    }
    if (trace.child.exitCode !== null) throw new Error(`it ended with ${trace.child.exitCode}`);
    await turn();
  }
}

/** The kernel frees programs after a grace period of its own. */
async function expectGone(objects: readonly string[]): Promise<void> {
  await vi.waitFor(() => expect(stillThere(objects)).toEqual([]), { timeout: 10_000 });
}
