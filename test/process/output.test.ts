import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { event } from '../../src/events.js';
import { bpfObjectsOf } from './support/bpf-objects.js';
import { DropSource } from './support/drops.js';
import {
  emitted,
  lost,
  Program,
  parseEvents,
  readEvents,
  rpftrace,
  startTrace,
  stopOf,
} from './support/program.js';

const source = new DropSource();
const here = ['--netns', source.path, '-o', 'ndjson'];
const scratch = mkdtempSync(join(tmpdir(), 'output-'));
let directory = scratch;

beforeEach(({ task }) => {
  directory = join(scratch, task.id);
  mkdirSync(directory);
});

afterAll(() => {
  source.remove();
  rmSync(scratch, { recursive: true });
});

describe('standard output and standard error', () => {
  it('carry events only, and the summary', async () => {
    const trace = await startTrace(here);
    await source.drop(500);
    const { stdout, stderr } = await trace.stop();

    const kinds = parseEvents(stdout).map((line) => event.parse(line).kind);
    expect(kinds[0]).toBe('start');
    expect(kinds.at(-1)).toBe('stop');
    expect(stderr).toContain('500 drops');
    expect(stderr).toContain('IP_RPFILTER');
    expect(stderr).toContain(source.device);
    expect(stderr).toContain('203.0.113.9');
  });

  it('carry a table with names, reason and mode where it is asked for', async () => {
    const trace = await startTrace(['--netns', source.path, '-o', 'table']);
    await source.drop(1);
    const { stdout } = await trace.stop();

    const [header = '', row = ''] = stdout.split('\n').filter((line) => !line.startsWith('== i-'));
    expect(header).toContain('REASON');
    for (const word of ['IP_RPFILTER', source.device, '203.0.113.9', '192.0.2.1'])
      expect(row).toContain(word);
  });
});

describe('an output that fails', () => {
  it('is named when the disk is full', async () => {
    const { code, stderr } = await rpftrace(['trace', ...here, '--out', '/dev/full', '--duration', '60s']);
    expect(code).toBe(1);
    expect(stderr).toContain('cannot write to /dev/full: ENOSPC');
  });

  it('is named when standard output is full', async () => {
    const { code, stderr } = await rpftrace(['trace', ...here, '--duration', '60s'], {
      stdout: openSync('/dev/full', 'w'),
    });
    expect(code).toBe(1);
    expect(stderr).toContain('cannot write to standard output: ENOSPC');
  });

  it.each([
    ['a directory', () => directory, 'EISDIR'],
    ['a file that nobody may write', () => '/sys/kernel/uevent_seqnum', 'EACCES'],
    ['a file in a directory that is not there', () => join(directory, 'gone', 'drops'), 'ENOENT'],
  ])('is named when it is %s', async (_what, file, error) => {
    const { code, stdout, stderr } = await rpftrace(['trace', ...here, '--out', file()]);
    expect(code).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toContain(`cannot write to ${file()}: ${error}`);
  });

  it('is named when its directory is removed while it is written', async () => {
    const trace = await startTrace([...here, '--every', '--out', join(directory, 'drops')]);
    rmSync(directory, { recursive: true });
    const flood = source.flood(1_000_000, { rate: 1000 });
    const { code, stderr } = await trace.ended;
    await flood.stop();

    expect(code).toBe(1);
    expect(stderr).toContain(`${join(directory, 'drops')} was deleted while it was written`);
  });

  it('is named when it can no longer be rotated', async () => {
    const trace = await startTrace(rotating('64k'));
    rmSync(directory, { recursive: true });
    const flood = source.flood(1_000_000, { rate: 10_000 });
    const { code, stderr } = await trace.ended;
    await flood.stop();

    expect(code).toBe(1);
    expect(stderr).toContain('E_OUTPUT');
  });
});

describe('a FIFO', () => {
  const startOpening = async (fifo: string): Promise<Program> => {
    execFileSync('mkfifo', [fifo]);
    const trace = new Program(['trace', ...here, '--out', fifo]);
    // It listens to signals from before that on.
    await vi.waitFor(() => expect(bpfObjectsOf(trace.pid)).not.toEqual([]), { timeout: 10_000 });
    return trace;
  };

  it.each(['SIGINT', 'SIGTERM'] as const)(
    'that nobody reads does not keep %s from ending it',
    async (signal) => {
      const fifo = join(directory, 'fifo');
      const trace = await startOpening(fifo);
      try {
        expect(await trace.stop(signal)).toMatchObject({ code: null, signal });
        expect(trace.stderr).toContain(`${fifo} was still being opened`);
      } finally {
        trace.kill('SIGKILL');
      }
    },
  );

  it('is waited for, and gets all from the start event on', async () => {
    const fifo = join(directory, 'fifo');
    const trace = await startOpening(fifo);
    const reading = promisify(execFile)('cat', [fifo]);
    await vi.waitFor(() => expect(bpfObjectsOf(trace.pid)).toContainEqual(expect.stringMatching('link')), {
      timeout: 10_000,
    });

    expect((await trace.stop()).code).toBe(0);
    const events = parseEvents((await reading).stdout);
    expect(events[0]?.kind).toBe('start');
    expect(stopOf(events)).toMatchObject({ why: 'signal', signal: 'SIGINT' });
  });
});

describe('a reader', () => {
  it('that has had enough ends the trace without an error: | head -1', async () => {
    const trace = await startTrace(['-o', 'ndjson', '--netns', source.path, '--every'], {
      // biome-ignore lint/suspicious/noTemplateCurlyInString: for bash
      under: ['bash', '-c', '"$@" | head -1; exit "${PIPESTATUS[0]}"', 'bash'],
    });
    const flood = source.flood(1_000_000, { rate: 1000 });
    const { code, stdout, stderr } = await trace.ended;
    await flood.stop();

    expect(code).toBe(0);
    expect(parseEvents(stdout).map(({ kind }) => kind)).toEqual(['start']);
    expect(stderr).toContain('drops');
    expect(stderr).not.toContain('EPIPE');
  });
});

describe('rotation', () => {
  it('loses no line and no drop between the files', async () => {
    const trace = await startTrace([...rotating('256k'), '--rotate-keep', '99']);
    await source.drop(5000);
    await trace.stop();

    const files = oldestFirst();
    const events = readEvents(...files.map((name) => join(directory, name)));
    expect(files.length).toBeGreaterThan(5);
    expect(files.filter((name) => statSync(join(directory, name)).size > 256 * 1024)).toEqual([]);
    expect(emitted(events) + lost(events)).toBe(5000);
    expect(events[0]?.kind).toBe('start');
    expect(stopOf(events).conservation.holds).toBe(true);
  });

  it('keeps as many old files as asked', async () => {
    const trace = await startTrace([...rotating('64k'), '--rotate-keep', '2']);
    await source.drop(2000);
    await trace.stop();

    expect(readdirSync(directory).sort()).toEqual(['drops', 'drops.1', 'drops.2']);
    expect(stopOf(readEvents(join(directory, 'drops'))).totals.emitted).toBe(2000);
  });
});

describe('rpftrace schema', () => {
  it('prints a JSON Schema of every kind of event', async () => {
    const { code, stdout, stderr } = await rpftrace(['schema']);
    const schema = JSON.parse(stdout) as { oneOf: { properties: { kind: { const: string } } }[] };

    expect(code).toBe(0);
    expect(stderr).toBe('');
    expect(schema.oneOf.map(({ properties }) => properties.kind.const)).toEqual([
      'start',
      'drop',
      'sysctl_change',
      'incident',
      'lost',
      'stop',
    ]);
  });
});

describe('the ready file', () => {
  it('is there as long as the programs are attached', async () => {
    const file = join(directory, 'ready');
    const trace = new Program(['trace', ...here, '--ready-file', file]);
    await trace.until(({ stdout }) => stdout.includes('"kind":"start"'));
    await vi.waitFor(() => expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ pid: trace.pid }));
    await trace.stop();
    expect(readdirSync(directory)).toEqual([]);
  });
});

/** Arguments for every drop to go to `drops`, which is rotated at `size`. */
function rotating(size: string): string[] {
  return [...here, '--every', '--out', join(directory, 'drops'), '--rotate-size', size];
}

/** drops.9, ..., drops.1, drops */
function oldestFirst(): string[] {
  const age = (name: string) => Number(name.split('.')[1] ?? 0);
  return readdirSync(directory).sort((a, b) => age(b) - age(a));
}
