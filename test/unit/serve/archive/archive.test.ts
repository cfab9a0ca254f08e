import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Archive } from '../../../../src/serve/archive/archive.js';
import { ArchivePast } from '../../../../src/serve/archive/past.js';
import { ArchiveWriter } from '../../../../src/serve/archive/writer.js';
import { Cursor } from '../../../../src/serve/history/cursor.js';
import type { EventId } from '../../../../src/serve/history/event-id.js';
import { CHUNK_BYTES } from '../../../../src/serve/history/journal.js';
import { Bell } from '../../../../src/serve/readers/bell.js';
import { NDJSON } from '../../../../src/serve/readers/encoding.js';
import { temporaryDirectory } from '../../../fixtures/directory.js';
import { aDrop, aStop, ToldJournal } from '../../../fixtures/journal.js';

describe('the history on disk', () => {
  test('goes on behind an event that memory has forgotten, up to what memory still has', async () => {
    const boot = start();
    for (let round = 0; round < 100; round++) await boot.tell(aDrop({ padding: 6000 }));
    expect(boot.told.journal.oldestNumber).toBeGreaterThan(10);
    const { numbers, missing, next } = await readPast(boot, { epoch: boot.epoch, number: 5 });
    expect(missing).toEqual([]);
    expect(numbers).toEqual(Array.from({ length: next - 6 }, (_, index) => index + 6));
    expect(next).toBeGreaterThanOrEqual(boot.told.journal.oldestNumber);
    await boot.close();
  });

  test('is kept within its bound, the newest part of it', async () => {
    const boot = start({ maxBytes: 512 * 1024 });
    const bytesNow = () =>
      readdirSync(boot.directory).reduce((sum, file) => sum + statSync(join(boot.directory, file)).size, 0);
    for (let round = 0; round < 60; round++) {
      await boot.tell(...Array.from({ length: (round % 10) + 1 }, () => aDrop({ padding: 6000 })));
      expect(bytesNow()).toBeLessThanOrEqual(512 * 1024);
    }
    await boot.close();
    expect(bytesNow()).toBeGreaterThan(300 * 1024);
    const { numbers, missing, next } = await readPast(boot, { epoch: boot.epoch, number: 1 });
    expect(next).toBeGreaterThanOrEqual(boot.told.journal.oldestNumber);
    expect(missing).toEqual([{ events: (numbers[0] ?? 0) - 2, drops: undefined }]);
    expect(numbers.at(-1)).toBe(next - 1);
  });

  test('keeps its bound where a file cannot be deleted for a smaller one', async () => {
    const boot = start();
    for (let round = 0; round < 400; round++) await boot.tell(aDrop({ padding: 6000 }));
    await boot.close();
    const archive = new Archive({ directory: boot.directory, maxBytes: 256 << 20, note: () => undefined });
    const [oldest] = archive.segments;
    rmSync(oldest?.path ?? '');
    mkdirSync(oldest?.path ?? '');
    const before = archive.segmentBytes;
    expect(() => {
      archive.maxBytes = 1 << 20;
    }).toThrow(/^cannot keep history in /);
    expect(archive.segmentBytes).toBe(before);
    expect(archive.segments[0]).toBe(oldest);
  });

  test.each([
    ['half a line', (file: string) => truncateSync(file, statSync(file).size - 40), 1],
    ['a line that never ended', (file: string) => appendFileSync(file, '{"v":1,"kind":"drop"'), 0],
    ['bytes of nobody', (file: string) => appendFileSync(file, Buffer.alloc(100_000)), 0],
    ['lines that are no events', (file: string) => appendFileSync(file, 'x\n'.repeat(5)), 0],
    ['nothing at all', (file: string) => writeFileSync(file, ''), 10],
  ])('has all whole events where a killed server left %s at the end', async (_what, damage, lost) => {
    const boot = start();
    for (let round = 0; round < 10; round++) await boot.tell(aDrop());
    await boot.close();
    const [file = ''] = readdirSync(boot.directory);
    damage(join(boot.directory, file));
    const notes: string[] = [];
    const again = start({ directory: boot.directory, notes, epoch: 'mwsegiks' });
    await again.tell(aDrop());
    const { numbers } = await readPast(again, '2026-01-01T00:00:00.000000000Z');
    expect(numbers).toEqual([...Array.from({ length: 10 - lost }, (_, index) => index + 1), 1]);
    if (lost < 10) expect(notes[0]).toMatch(/^history: cut \d+ bytes off .*: they were no whole event$/);
    await again.close();
  });

  test('tells what is missing where a file was damaged in its middle', async () => {
    const boot = start();
    for (let round = 0; round < 10; round++) await boot.tell(aDrop({ count: 2 }));
    await boot.close();
    const file = join(boot.directory, readdirSync(boot.directory)[0] ?? '');
    const lines = readFileSync(file, 'utf8').split('\n');
    lines[4] = `${lines[4]?.slice(0, 30)}\u0000\u0000${lines[4]?.slice(32)}`;
    writeFileSync(file, lines.join('\n'));
    const again = start({ directory: boot.directory, epoch: 'mwsegiks' });
    const { numbers, missing } = await readPast(again, { epoch: boot.epoch, number: 2 });
    expect(numbers).toEqual([3, 4, 6, 7, 8, 9, 10]);
    expect(missing[0]).toEqual({ events: 1, drops: undefined });
  });

  test('tells of what is missing once: not to who comes back behind it', async () => {
    const boot = start();
    await boot.tell(aDrop(), aDrop(), aDrop());
    await boot.close();
    const file = join(boot.directory, readdirSync(boot.directory)[0] ?? '');
    const [first, , third] = readFileSync(file, 'utf8').split('\n');
    writeFileSync(file, `${first}\n${third}\n`);
    const again = start({ directory: boot.directory, epoch: 'mwsegiks' });
    await again.tell(aDrop());
    const since = { epoch: boot.epoch, number: 1 };
    const whole = await readPast(again, since);
    expect(whole).toMatchObject({ numbers: [3, 1], behindLoss: { epoch: 'mwsegiks', number: 0 } });
    expect(await readPast(again, whole.behindLoss ?? since)).toMatchObject({ missing: [], next: 1 });
    const middle = await readPast(again, { epoch: boot.epoch, number: 2 });
    expect(middle).toMatchObject({ numbers: [3, 1], missing: [{ events: 0 }] });
    await again.close();
  });

  test.each([
    ['ended in good order: nothing is missing', [aDrop(), aStop()], []],
    [
      'was killed: nobody knows what it told last',
      [aDrop(), aDrop()],
      [expect.objectContaining({ events: 0, unknown: expect.any(String) })],
    ],
  ])('goes over from a server that %s', async (_what, events, expected) => {
    const boot = start();
    await boot.tell(...events);
    await boot.close();
    const again = start({ directory: boot.directory, epoch: 'mwsegiks' });
    await again.tell(aDrop(), aDrop());
    const { numbers, missing } = await readPast(again, { epoch: boot.epoch, number: 1 });
    expect(numbers).toEqual([2, 1, 2]);
    expect(missing).toEqual(expected);
    await again.close();
  });

  test('goes over from a server whose stop event the reader has had: nothing is missing', async () => {
    const boot = start();
    await boot.tell(aDrop(), aStop());
    await boot.close();
    const again = start({ directory: boot.directory, epoch: 'mwsegiks' });
    await again.tell(aDrop());
    const { numbers, missing } = await readPast(again, { epoch: boot.epoch, number: 2 });
    expect(numbers).toEqual([1]);
    expect(missing).toEqual([]);
    await again.close();
  });

  test('costs nobody anything where it cannot be written, and says so once; then it goes on', async () => {
    const notes: string[] = [];
    const boot = start({ notes });
    await boot.tell(aDrop());
    boot.archive.begin = () => {
      throw new Error('ENOSPC: no space left on device');
    };
    boot.archive.maxBytes = 1;
    const { begin } = Archive.prototype;
    Object.defineProperty(boot.archive, 'segmentBytes', { get: () => 0, configurable: true });
    boot.told.tell(aDrop());
    while (boot.writer.failure === undefined) await turn();
    boot.told.tell(...Array.from({ length: 300 }, () => aDrop({ padding: 6000 })));
    boot.archive.begin = begin;
    Object.defineProperty(boot.archive, 'segmentBytes', { get: () => 1 << 20 });
    await boot.settled();
    await boot.close();
    expect(notes[0]).toContain('ENOSPC');
    expect(notes).toContain('history: it is written to disk again');
    const lostOnDisk = boot.writer.lost;
    expect(lostOnDisk).toBeGreaterThan(0);
    const { numbers, missing } = await readPast(boot, { epoch: boot.epoch, number: 2 });
    expect(numbers.length + missing.reduce((sum, { events }) => sum + events, 0)).toBe(300);
  });

  test('needs a folder that can be written to', () => {
    const file = join(temporaryDirectory(), 'file');
    writeFileSync(file, '');
    chmodSync(file, 0o400);
    const open = () =>
      new Archive({ directory: join(file, 'history'), maxBytes: 1 << 20, note: () => undefined });
    expect(open).toThrow(/^cannot keep history in/);
  });
});

interface Settings {
  readonly directory?: string;
  readonly maxBytes?: number;
  readonly epoch?: string;
  readonly notes?: string[];
}

/** A server's memory and disk, from its start on. */
function start({
  directory = temporaryDirectory(),
  maxBytes = 8 << 20,
  epoch = 'mwsegikr',
  notes = [],
}: Settings = {}) {
  const note = (text: string) => notes.push(text);
  const told = new ToldJournal(2 * CHUNK_BYTES, epoch);
  const archive = new Archive({ directory, maxBytes, note });
  const bell = new Bell(() => 0);
  told.journal.listeners.add(bell.ring);
  const writer = new ArchiveWriter({
    archive,
    epoch,
    cursor: new Cursor(told.journal, 1),
    bell,
    note,
    retryMs: 5,
  });
  writer.start();
  const settled = async () => {
    while (writer.number < told.journal.nextNumber) await turn();
  };
  const tell = async (...events: Parameters<typeof told.tell>) => {
    told.tell(...events);
    await settled();
  };
  return { directory, epoch, told, archive, writer, tell, settled, close: () => writer.close() };
}

async function readPast(
  { told, archive }: ReturnType<typeof start>,
  since: ConstructorParameters<typeof ArchivePast>[0]['since'],
) {
  const past = new ArchivePast({
    archive,
    journal: told.journal,
    since,
    encoding: NDJSON,
    selection: undefined,
  });
  const numbers: number[] = [];
  const missing: { events: number }[] = [];
  let behindLoss: EventId | undefined;
  const pieces = past.read(new AbortController().signal);
  for (;;) {
    const { done, value } = await pieces.next();
    if (done) return { numbers, missing, next: value, behindLoss };
    if (!Buffer.isBuffer(value)) {
      missing.push(value.missing);
      behindLoss = value.upTo;
    } else
      for (const line of value.toString().trimEnd().split('\n'))
        numbers.push(Number(JSON.parse(line).event_id.split('-')[1]));
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}
