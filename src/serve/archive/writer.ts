import { type FileHandle, open } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { Cursor, Span } from '../history/cursor.js';
import type { Bell } from '../readers/bell.js';
import type { Archive } from './archive.js';
import { LossNotes } from './loss-notes.js';
import type { Segment } from './segment.js';

export interface ArchiveWriterOptions {
  readonly archive: Archive;
  readonly epoch: string;
  readonly cursor: Cursor;
  readonly bell: Bell;
  /** For people: that it cannot write, that it can again, and what it lost. */
  readonly note: (text: string) => void;
  /** How long to wait before a disk that is full, or broken, is tried again. */
  readonly retryMs?: number;
}

interface OpenFile {
  readonly segment: Segment;
  readonly handle: FileHandle;
}

/** Writes the journal to disk at the disk's own pace: a full or slow one costs the history on disk some events, and nobody else. */
export class ArchiveWriter {
  /** Events that were forgotten before the disk took them. */
  lost = 0;
  /** Why it does not write now. */
  failure: string | undefined;
  /** Number of the first event that is not on disk yet. */
  number: number;
  readonly #options: ArchiveWriterOptions;
  readonly #losses: LossNotes;
  readonly #closing = new AbortController();
  #done: Promise<void> = Promise.resolve();
  #file: OpenFile | undefined;

  constructor(options: ArchiveWriterOptions) {
    this.#options = options;
    this.number = options.cursor.number;
    this.#losses = new LossNotes(options.note);
  }

  start(): void {
    this.#done = this.#run();
  }

  /** Resolves when all is on disk, or cannot be brought there. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#done;
  }

  async #run(): Promise<void> {
    const { cursor, bell } = this.#options;
    const { signal } = this.#closing;
    for (;;) {
      const loss = cursor.takeLoss();
      if (loss) this.#lose(loss.events);
      const span = cursor.next();
      if (span) await this.#keep(span);
      else if (signal.aborted) break;
      else await bell.wait(signal);
      this.number = cursor.number;
    }
    await this.#file?.handle.close().catch(() => undefined);
    this.#losses.close();
  }

  /** Tries again until the lines are in the file. Memory that is pinned is not written over, even when it is forgotten. */
  async #keep(span: Span): Promise<void> {
    const { signal } = this.#closing;
    span.chunk.pins++;
    while (!(await this.#write(span))) {
      if (signal.aborted) {
        this.#lose(span.to - span.from);
        break;
      }
      await pause(this.#options.retryMs ?? RETRY_MS, undefined, { signal }).catch(() => undefined);
    }
    span.chunk.pins--;
  }

  /** Returns whether the lines are in the file, whole. */
  async #write({ chunk, from, to }: Span): Promise<boolean> {
    try {
      const bytes = chunk.bytes.subarray(chunk.startOf(from), chunk.startOf(to));
      const { handle, segment } = await this.#fileFor(chunk.firstNumber + from, bytes.length);
      for (let at = 0; at < bytes.length; )
        at += (await handle.write(bytes, at, bytes.length - at, segment.bytes + at)).bytesWritten;
      segment.bytes += bytes.length;
      if (this.failure !== undefined) this.#options.note('history: it is written to disk again');
      this.failure = undefined;
      return true;
    } catch (error) {
      await this.#fail(error as Error);
      return false;
    }
  }

  /** The one that is open, where so many bytes still fit. */
  async #fileFor(number: number, bytes: number): Promise<OpenFile> {
    const { archive, epoch } = this.#options;
    if (this.#file && this.#file.segment.bytes + bytes <= archive.segmentBytes) return this.#file;
    await this.#file?.handle.close();
    this.#file = undefined;
    const segment = archive.begin({ epoch, number }, bytes);
    this.#file = { segment, handle: await open(segment.path, 'w', 0o640) };
    return this.#file;
  }

  /** Half a line is taken back, so that the file stays whole; the next try begins a new one. */
  async #fail(error: Error): Promise<void> {
    if (this.failure === undefined)
      this.#options.note(`history: cannot write to ${this.#options.archive.directory}: ${error.message}`);
    this.failure = error.message;
    await this.#file?.handle.truncate(this.#file.segment.bytes).catch(() => undefined);
    await this.#file?.handle.close().catch(() => undefined);
    this.#file = undefined;
    this.#options.archive.dropEmpty();
  }

  #lose(events: number): void {
    this.lost += events;
    this.#losses.add(events);
  }
}

const RETRY_MS = 5000;
