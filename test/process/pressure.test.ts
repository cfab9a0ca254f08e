import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { DropSource } from './support/drops.js';
import {
  emitted,
  lost,
  type Program,
  parseEvents,
  readEvents,
  reconciledIn,
  startTrace,
  stopOf,
} from './support/program.js';

const source = new DropSource();
const here = ['--netns', source.path, '-o', 'ndjson'];

const directory = mkdtempSync(join(tmpdir(), 'pressure-'));

afterAll(() => {
  source.remove();
  rmSync(directory, { recursive: true });
});

describe('a reader that stalls', () => {
  it('stops nothing but the stream: memory stays bounded, what is lost is counted', async () => {
    const trace = await startTrace([...here, '--every']);
    trace.child.stdout?.pause();
    await source.drop(1_000_000);
    const peakMb = peakMemoryMb(trace);
    trace.child.stdout?.resume();
    const events = parseEvents((await trace.stop()).stdout);
    const stop = stopOf(events);

    expect(peakMb).toBeLessThan(90);
    expect(lost(events)).toBeGreaterThan(0);
    expect(emitted(events) + lost(events)).toBe(1_000_000);
    expect(stop.conservation.holds).toBe(true);
    expect(reconciledIn(stop, source)).toBe(true);
  });
});

describe('a tracer that is suspended for 5 s under load', () => {
  it('counts what it could not take with --every', async () => {
    const { events, stop } = await traceWhileSuspended(['--every']);

    expect(lost(events)).toBeGreaterThan(0);
    expect(emitted(events) + lost(events)).toBe(drops);
    expect(stop.conservation.holds).toBe(true);
    expect(reconciledIn(stop, source)).toBe(true);
  });

  it('loses nothing by default: the kernel goes on counting', async () => {
    const { events, stop } = await traceWhileSuspended([]);

    expect(lost(events)).toBe(0);
    expect(emitted(events)).toBe(drops);
    expect(stop.conservation.holds).toBe(true);
    expect(reconciledIn(stop, source)).toBe(true);
  });

  const drops = 140_000;

  /** 20,000 drops a second: they begin before the suspension and end after it. */
  async function traceWhileSuspended(options: readonly string[]) {
    const file = join(directory, 'drops');
    const trace = await startTrace([...here, ...options, '--out', file]);
    const flood = source.flood(drops, { rate: 20_000 });
    await vi.waitFor(() => expect(readFileSync(file, 'utf8')).toContain('"kind":"drop"'), {
      timeout: 10_000,
    });
    trace.kill('SIGSTOP');
    await sleep(5000);
    trace.kill('SIGCONT');
    await flood.done;
    await trace.stop();
    const events = readEvents(file);
    return { events, stop: stopOf(events) };
  }
});

function peakMemoryMb({ pid }: Program): number {
  const kilobytes = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) / 1024;
}
