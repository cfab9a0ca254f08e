import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Arena } from '../../../src/sink/arena.js';

describe('Arena', () => {
  test('hands over what was committed, in order, once', () => {
    const { arena, sent } = make(64, 16);
    write(arena, 'one\n');
    write(arena, 'two\n');
    arena.flush();
    arena.flush();
    expect(sent.map(String)).toEqual(['one\ntwo\n']);
  });

  test('has no room until what was handed over is written', () => {
    const { arena } = make(32, 16);
    write(arena, 'x'.repeat(16));
    write(arena, 'y'.repeat(16));
    expect(arena.hasRoom).toBe(false);
    arena.flush();
    expect(arena.hasRoom).toBe(false);
    arena.written(16);
    expect(arena.pending).toBe(16);
    arena.written(16);
    expect(arena.hasRoom).toBe(true);
    expect(arena.pending).toBe(0);
  });

  test('leaves the prepared bytes alone', () => {
    const { arena } = make(32, 16, 8);
    arena.bytes.write('prepared', 0);
    for (let round = 0; round < 10; round++) {
      write(arena, 'x'.repeat(11));
      arena.flush();
      arena.written(11);
    }
    expect(arena.bytes.toString('latin1', 0, 8)).toBe('prepared');
  });

  test('what lies elsewhere goes out behind what was committed', () => {
    const { arena, sent } = make(32, 16);
    write(arena, 'a');
    arena.sendForeign(Buffer.from('long event'));
    write(arena, 'b');
    arena.flush();
    expect(sent.map(String)).toEqual(['a', 'long event', 'b']);
  });

  test('bytes that are out are never overwritten, however writing and flushing interleave', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('write' as const), length: fc.integer({ min: 1, max: 16 }) }),
      fc.record({ kind: fc.constant('flush' as const) }),
      fc.record({ kind: fc.constant('written' as const), length: fc.integer({ min: 1, max: 40 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const { arena, sent } = make(64, 16, 4);
        const disk = { got: '' };
        let wanted = '';
        for (const one of steps) {
          if (one.kind === 'flush') arena.flush();
          else if (one.kind === 'written') takeFrom(sent, arena, disk, one.length);
          else if (arena.hasRoom) {
            const text = String.fromCharCode(97 + (wanted.length % 26)).repeat(one.length);
            write(arena, text);
            wanted += text;
          }
        }
        arena.flush();
        takeFrom(sent, arena, disk, Number.MAX_SAFE_INTEGER);
        expect(disk.got).toBe(wanted);
        expect(arena.pending).toBe(0);
        expect(arena.hasRoom).toBe(true);
      }),
    );
  });
});

function make(size: number, maxLine: number, prepared = 0): { arena: Arena; sent: Buffer[] } {
  const sent: Buffer[] = [];
  return { arena: new Arena({ size, prepared, maxLine, send: (piece) => sent.push(piece) }), sent };
}

function write(arena: Arena, text: string): void {
  arena.commit(arena.position + arena.bytes.write(text, arena.position, 'latin1'));
}

/** A disk that takes bytes late: each is read only when it is said to be written. */
function takeFrom(sent: Buffer[], arena: Arena, disk: { got: string }, count: number): void {
  let rest = count;
  while (rest > 0 && sent[0]) {
    const part = sent[0].subarray(0, rest);
    disk.got += part.toString('latin1');
    arena.written(part.length);
    rest -= part.length;
    sent[0] = sent[0].subarray(part.length);
    if (sent[0].length === 0) sent.shift();
  }
}
