import { afterAll, describe, expect, it, vi } from 'vitest';
import { bpfObjectsOf, stillThere } from './support/bpf-objects.js';
import { DropSource } from './support/drops.js';
import { emitted, parseEvents, reconciledIn, rpftrace, startTrace, stopOf } from './support/program.js';

const source = new DropSource();
const here = ['--netns', source.path, '-o', 'ndjson'];

afterAll(() => source.remove());

describe('a trace ends', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)(
    'on %s, with everything flushed and a stop event',
    async (signal) => {
      const trace = await startTrace(here);
      await source.drop(1000);

      const { code, stdout } = await trace.stop(signal);
      const events = parseEvents(stdout);
      const stop = stopOf(events);

      expect(code).toBe(0);
      expect(emitted(events)).toBe(1000);
      expect(stop).toMatchObject({ why: 'signal', signal });
      expect(reconciledIn(stop, source)).toBe(true);
      expect(stop.conservation).toEqual({ holds: true, difference: 0 });
    },
  );

  it('after --count drop events', async () => {
    const trace = await startTrace([...here, '--every', '--count', '25']);
    await source.drop(100);

    const { code, stdout } = await trace.ended;
    const events = parseEvents(stdout);
    const { why, totals, conservation } = stopOf(events);

    expect(code).toBe(0);
    expect(emitted(events)).toBe(25);
    expect(why).toBe('count');
    expect(totals.matched).toBe(totals.emitted + totals.lost + totals.discarded);
    expect(conservation.holds).toBe(true);
  });

  it('after --duration', async () => {
    const { code, stdout } = await rpftrace(['trace', ...here, '--duration', '1s']);
    const { why, elapsed_ms } = stopOf(parseEvents(stdout));

    expect(code).toBe(0);
    expect(why).toBe('duration');
    expect(elapsed_ms).toBeGreaterThanOrEqual(1000);
  });

  it('by one signal after a while, though nobody reads what is still to be written', async () => {
    const trace = await startTrace([...here, '--every']);
    trace.child.stdout?.pause();
    await source.drop(200_000);

    const exited = trace.exited;
    trace.kill('SIGTERM');

    expect(await exited).toEqual({ code: null, signal: 'SIGTERM' });
    trace.child.stdout?.resume();
    const { stderr } = await trace.ended;
    expect(stderr).toContain('does not read');
    expect(stderr).toContain('drops');
  });

  it('in good order with a reader that is slow, as long as it reads', async () => {
    const trace = await startTrace([...here, '--every']);
    const { stdout } = trace.child;
    stdout?.pause();
    await source.drop(10_000, { rate: 10_000 });
    trace.kill('SIGTERM');
    const startedMs = performance.now();
    const reading = setInterval(() => {
      stdout?.resume();
      setImmediate(() => stdout?.pause());
    }, 120);
    const { code, stderr } = await trace.ended.finally(() => clearInterval(reading));

    expect(performance.now() - startedMs).toBeGreaterThan(1500);
    expect([code, stderr.includes('reader')]).toEqual([0, false]);
    expect(stopOf(trace.events).conservation.holds).toBe(true);
    expect(emitted(trace.events)).toBe(10_000);
  });

  it('by a second signal at once, though nobody reads what is still to be written', async () => {
    const trace = await startTrace([...here, '--every']);
    trace.child.stdout?.pause();
    await source.drop(200_000);

    const exited = trace.exited;
    trace.kill('SIGTERM');
    await vi.waitFor(() => expect(bpfObjectsOf(trace.pid)).not.toContainEqual(expect.stringMatching('link')));
    trace.kill('SIGINT');

    expect(await exited).toEqual({ code: null, signal: 'SIGINT' });
    trace.child.stdout?.resume();
    await trace.ended;
    expect(trace.stderr).toMatch(/the reader of the output (had not taken everything|does not read)/);
  });

  it('by kill -9, and leaves no program and no link in the kernel', async () => {
    const trace = await startTrace(here);
    const objects = bpfObjectsOf(trace.pid);
    expect(objects).toContainEqual(expect.stringMatching('link'));
    expect(stillThere(objects)).toEqual(objects);

    await trace.stop('SIGKILL');

    // The kernel frees programs after a grace period of its own.
    await vi.waitFor(() => expect(stillThere(objects)).toEqual([]), { timeout: 10_000 });
  });
});
