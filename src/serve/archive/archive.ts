import { mkdirSync, rmSync } from 'node:fs';
import type { EventId } from '../history/event-id.js';
import { cannotKeep } from './cannot-keep.js';
import { recover } from './recover.js';
import { listSegments, type Segment, segmentPath } from './segment.js';

export interface ArchiveOptions {
  readonly directory: string;
  /** Of all files together; the oldest are deleted first. */
  readonly maxBytes: number;
  readonly note: (text: string) => void;
}

/** The history on disk: files of lines, each named after its first event. */
export class Archive {
  readonly directory: string;
  readonly segments: Segment[];
  #maxBytes: number;

  /** Makes the folder, and puts right what a killed server left. Throws E_OUTPUT. */
  constructor({ directory, maxBytes, note }: ArchiveOptions) {
    this.directory = directory;
    this.#maxBytes = maxBytes;
    try {
      mkdirSync(directory, { recursive: true, mode: 0o750 });
      this.segments = listSegments(directory);
      for (const segment of this.segments) {
        const cut = recover(segment);
        if (cut) note(`history: cut ${cut.bytes} bytes off ${cut.path}: they were no whole event`);
      }
      this.dropEmpty();
      this.#prune();
    } catch (error) {
      throw cannotKeep(directory, error as Error);
    }
  }

  get bytes(): number {
    return this.segments.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Of the boot before this one. */
  get lastEpoch(): string | undefined {
    return this.segments.at(-1)?.first.epoch;
  }

  /** Throws E_OUTPUT where files cannot be deleted, and then keeps to what it was before. */
  set maxBytes(maxBytes: number) {
    const before = this.#maxBytes;
    this.#maxBytes = maxBytes;
    try {
      this.#prune();
    } catch (error) {
      this.#maxBytes = before;
      throw cannotKeep(this.directory, error as Error);
    }
  }

  /** The most bytes of a file, but for what is longer by itself: what is deleted at a time. */
  get segmentBytes(): number {
    return Math.max(Math.floor(this.#maxBytes / SEGMENTS), MIN_SEGMENT_BYTES);
  }

  /** Begins a new file with this event, and makes room for it and so many bytes at once. */
  begin(first: EventId, bytes: number): Segment {
    const segment = { path: segmentPath(this.directory, first), first, bytes: 0 };
    this.segments.push(segment);
    this.#prune(bytes);
    return segment;
  }

  /** Forgets files that nothing could be written to. */
  dropEmpty(): void {
    for (const segment of this.segments.filter(({ bytes }) => bytes === 0)) {
      this.segments.splice(this.segments.indexOf(segment), 1);
      rmSync(segment.path, { force: true });
    }
  }

  /** Always leaves the one that is written, and room for it. */
  #prune(bytes = 0): void {
    const room = Math.max(this.segmentBytes, bytes);
    while (this.segments.length > 1 && this.bytes + room > this.#maxBytes) {
      rmSync((this.segments[0] as Segment).path, { force: true });
      this.segments.shift();
    }
  }
}

const SEGMENTS = 8;
const MIN_SEGMENT_BYTES = 64 * 1024;
