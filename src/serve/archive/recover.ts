import { closeSync, fstatSync, ftruncateSync, openSync, readSync, rmSync } from 'node:fs';
import { parseLine } from './line.js';
import type { Segment } from './segment.js';

/** What was not a whole event at the end of a file, and is there no more. */
export interface Cut {
  readonly path: string;
  readonly bytes: number;
}

/** A server that is killed leaves half a line; a disk may leave worse. All whole events stay. Returns what was cut off. */
export function recover(segment: Segment): Cut | undefined {
  const fd = openSync(segment.path, 'r+');
  try {
    const { size } = fstatSync(fd);
    const end = endOfWhole(fd, size);
    if (end === size) return undefined;
    ftruncateSync(fd, end);
    segment.bytes = end;
    return { path: segment.path, bytes: size - end };
  } finally {
    closeSync(fd);
    if (segment.bytes === 0) rmSync(segment.path, { force: true });
  }
}

/** Where the last whole event ends. */
function endOfWhole(fd: number, size: number): number {
  for (let end = size; end > 0; ) {
    const start = startOfLine(fd, end);
    const line = readText(fd, start, end);
    if (line.endsWith('\n') && parseLine(line.slice(0, -1))) return end;
    end = start;
  }
  return 0;
}

/** Where the last line before `end` begins. Its own newline is a part of it. */
function startOfLine(fd: number, end: number): number {
  const block = Buffer.alloc(BLOCK_BYTES);
  for (let high = end - 1; high > 0; ) {
    const low = Math.max(high - BLOCK_BYTES, 0);
    readSync(fd, block, 0, high - low, low);
    const newline = block.lastIndexOf(NEWLINE, high - low - 1);
    if (newline >= 0) return low + newline + 1;
    high = low;
  }
  return 0;
}

function readText(fd: number, start: number, end: number): string {
  const bytes = Buffer.alloc(Math.min(end - start, MAX_LINE));
  readSync(fd, bytes, 0, bytes.length, end - bytes.length);
  return bytes.toString('utf8');
}

const BLOCK_BYTES = 64 * 1024;
/** Far longer than any event: what is longer is none. */
const MAX_LINE = 16 * 1024 * 1024;
const NEWLINE = 0x0a;
