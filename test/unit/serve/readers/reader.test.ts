import { describe, expect, test } from 'vitest';
import { Cursor } from '../../../../src/serve/history/cursor.js';
import { formatEventId } from '../../../../src/serve/history/event-id.js';
import { CHUNK_BYTES } from '../../../../src/serve/history/journal.js';
import { Bell } from '../../../../src/serve/readers/bell.js';
import { NDJSON, SERVER_SENT } from '../../../../src/serve/readers/encoding.js';
import { type Past, Reader, type ReaderOptions, type Target } from '../../../../src/serve/readers/reader.js';
import { aDrop, aStop, ToldJournal } from '../../../fixtures/journal.js';

const POSITION_OF: ReaderOptions['positionOf'] = (event) =>
  formatEventId(typeof event === 'number' ? { epoch: 'mwsegikr', number: event } : event);

describe('Reader', () => {
  test('gets every event while it keeps up, in whatever portions they come', async () => {
    const { told, read, end } = reading();
    for (let round = 0; round < 20; round++) {
      told.tell(...Array.from({ length: round * 7 }, () => aDrop({ padding: 500 })));
      await read.target.taken();
    }
    await end();
    expect(read.lines).toEqual(told.text.trimEnd().split('\n'));
    expect(read.reader.lost).toBe(0);
  });

  test('that stalls loses its own events and is told how many, the other one loses none', async () => {
    const { told, read, open, end } = reading(2 * CHUNK_BYTES);
    const other = open();
    read.target.stall();
    for (let round = 0; round < 100; round++) {
      told.tell(aDrop({ count: 3, padding: 6000 }));
      await other.target.taken();
    }
    read.target.go();
    await end();
    const seen = read.lines.map((line) => JSON.parse(line));
    const losses = seen.filter(({ kind }) => kind === 'lost');
    const drops = seen.filter(({ kind }) => kind === 'drop');
    expect(losses).toHaveLength(1);
    expect(losses[0]).toMatchObject({ where: 'reader', drops: losses[0].count * 3 });
    expect(drops.length + losses[0].count).toBe(100);
    expect(losses[0].count).toBeGreaterThan(50);
    expect(other.lines.filter((line) => line.includes('"kind":"drop"'))).toHaveLength(100);
    expect(other.reader.lost).toBe(0);
  });

  test('is told behind a loss up to where that was, so that it is not told of it again', async () => {
    const positionOf = POSITION_OF;
    const { told, read, end } = reading(2 * CHUNK_BYTES, { positionOf });
    read.target.stall();
    for (let index = 0; index < 100; index++) {
      told.tell(aDrop({ padding: 6000 }));
      await read.target.taken();
    }
    read.target.go();
    await end();
    const seen = read.lines.map((line) => JSON.parse(line));
    const at = seen.findIndex(({ kind }) => kind === 'lost');
    const next = Number(seen[at + 2].event_id.split('-')[1]);
    expect(seen[at + 1]).toEqual({ position: positionOf(next - 1) });
  });

  test('is told where it stands behind what was missing from the beginning', async () => {
    const { read, end } = reading(undefined, {
      positionOf: POSITION_OF,
      missing: { events: 7, drops: undefined },
    });
    await end();
    expect(read.lines[0]).toContain('"lost"');
    expect(read.lines[1]).toBe('{"position":"mwsegikr-0"}');
  });

  test('is told where it stands behind what is missing on disk, of whichever boot', async () => {
    const past: Past = {
      async *read() {
        yield { missing: { events: 7, drops: undefined }, upTo: { epoch: 'mwsegaaa', number: 41 } };
        return 1;
      },
    };
    const { read, end } = reading(undefined, { positionOf: POSITION_OF, from: past });
    await end();
    expect(read.lines[0]).toContain('"lost"');
    expect(read.lines[1]).toBe('{"position":"mwsegaaa-41"}');
  });

  test('gets what it wants only', async () => {
    const { told, read, end } = reading(undefined, {
      selection: ({ devices }) => devices?.includes('a') ?? true,
    });
    told.tell(...['a', 'b', 'a', 'a', 'b'].map((device) => aDrop({ device })));
    await end();
    expect(read.lines.map((line) => JSON.parse(line).event_id.split('-')[1])).toEqual(['1', '3', '4', '6']);
  });

  test('gets server-sent events where it accepts them', async () => {
    const { told, read, end } = reading(undefined, { encoding: SERVER_SENT });
    told.tell(aDrop());
    await end();
    expect(read.target.text).toMatch(
      /^id: mwsegikr-1\nevent: drop\ndata: \{.*\}\n\nid: mwsegikr-2\nevent: stop\ndata: \{.*\}\n\n$/,
    );
  });

  test('that is gone ends at once', async () => {
    const { told, read } = reading();
    read.target.fail();
    told.tell(aDrop());
    await expect(read.done).rejects.toThrow('gone');
  });

  test('that is gone while it reads from disk leaves no file open', async () => {
    let isOpen = true;
    const past: Past = {
      async *read() {
        try {
          for (;;) {
            yield Buffer.from('a line\n');
            await read.target.taken();
          }
        } finally {
          isOpen = false;
        }
      },
    };
    const { read } = reading(undefined, { from: past });
    while (read.target.text === '') await read.target.taken();
    read.target.fail();
    await expect(read.done).rejects.toThrow('gone');
    expect(isOpen).toBe(false);
  });

  test('hears that the server is there', async () => {
    const { read, end } = reading(undefined, { heartbeatMs: 5 });
    while (!read.target.text.startsWith('\n\n')) await read.target.taken();
    await end();
    expect(read.lines).toHaveLength(1);
  });

  test('hears where it is when it has come to the newest event, and where that is though it wants none', async () => {
    const { told, read, end } = reading(undefined, {
      ...{ heartbeatMs: 5, positionOf: (number) => `mwsegikr-${number}` },
      selection: ({ kind }) => kind === 'stop',
    });
    await read.target.taken();
    expect(read.lines[0]).toBe('{"position":"mwsegikr-0"}');
    told.tell(aDrop(), aDrop(), aDrop());
    while (!read.target.text.includes('mwsegikr-3')) await read.target.taken();
    await end();
    expect(read.lines.at(-1)).toContain('"kind":"stop"');
  });

  test('that stalls is sent no heartbeats on top of what it does not read', async () => {
    const { told, read, end } = reading(undefined, { heartbeatMs: 1 });
    read.target.stall();
    told.tell(aDrop());
    for (let round = 0; round < 20; round++) await read.target.taken();
    expect(read.target.waiting).toBe(1);
    read.target.go();
    await end();
  });
});

interface Reading {
  readonly reader: Reader;
  readonly target: FakeTarget;
  readonly done: Promise<void>;
  /** Whole lines that have come. */
  readonly lines: string[];
}

function reading(maxBytes?: number, settings: Partial<ReaderOptions> = {}) {
  const told = new ToldJournal(maxBytes);
  const bell = new Bell(() => 0);
  told.journal.listeners.add(bell.ring);
  let isOver = false;
  const open = (): Reading => {
    const target = new FakeTarget();
    const reader = new Reader(
      {
        cursorAt: (number) => new Cursor(told.journal, number),
        ...{ from: 1, missing: undefined, encoding: NDJSON, selection: undefined, follow: true },
        ...{ heartbeatMs: undefined, positionOf: undefined, bell, isOver: () => isOver },
        lostLine: ({ events, drops }) =>
          `${JSON.stringify({ kind: 'lost', where: 'reader', count: events, drops })}\n`,
        ...settings,
      },
      target,
      new AbortController().signal,
    );
    const done = reader.run();
    done.catch(() => undefined);
    return {
      reader,
      target,
      done,
      get lines() {
        return target.text.split('\n').filter((line) => line !== '');
      },
    };
  };
  const read = open();
  const end = async () => {
    told.tell(aStop());
    isOver = true;
    bell.ringNow();
    await read.done;
  };
  return { told, read, open, end };
}

class FakeTarget implements Target {
  text = '';
  /** Pieces that are not taken yet. */
  waiting = 0;
  #gate: Promise<void> = Promise.resolve();
  #open: () => void = () => undefined;
  #isGone = false;

  async write(bytes: Buffer | string, done?: () => void): Promise<void> {
    if (this.#isGone) throw new Error('gone');
    // What was handed over must not change while it is being written.
    this.waiting++;
    await this.#gate;
    this.waiting--;
    this.text += bytes.toString();
    done?.();
  }

  stall(): void {
    this.#gate = new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  go(): void {
    this.#open();
  }

  fail(): void {
    this.#isGone = true;
  }

  /** Resolves a turn later. */
  taken(): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, 1));
  }
}
