import { closeSync, fstat, open, openSync } from 'node:fs';
import { promisify } from 'node:util';
import sonicBoom, { type SonicBoom } from 'sonic-boom';
import { type ErrorCode, TracerError } from '../errors.js';
import { Arena } from './arena.js';
import type { LineOutput } from './lines.js';
import { shiftFiles } from './rotate.js';

export interface OutputOptions {
  /** Written anew from the start. Undefined: standard output. */
  readonly file?: string | undefined;
  /** Bytes after which `file` becomes `file.1`, `file.1` becomes `file.2` and so on. Undefined: never. */
  readonly rotateSize?: number | undefined;
  /** Old files that are kept beside `file`. */
  readonly rotateKeep?: number | undefined;
  /** Bytes at the start of `bytes` that are the sink's own, to prepare lines in. */
  readonly prepared?: number | undefined;
}

/**
 * Where lines go: a file, perhaps a rotated one, or standard output. Memory is bounded by the arena: with a stalled reader
 * `ready` stays false. A failure comes through onError, once: E_READER_GONE for a closed pipe, else E_OUTPUT.
 */
export class Output implements LineOutput {
  onReady: () => void = () => undefined;
  onError: (error: TracerError) => void = () => undefined;
  readonly #options: OutputOptions;
  readonly #arena: Arena;
  #fd: number;
  #writer: SonicBoom;
  /** Bytes that the writer has and the file has not. */
  #inFlight = 0;
  /** Bytes that were taken, ever. */
  written = 0;
  /** Bytes given to the writer since the file was opened. */
  #fileBytes = 0;
  /** For the next file, which NEXT_FILE stands for: they wait until this one is complete. */
  #waiting: (Buffer | typeof NEXT_FILE)[] = [];
  #checkedAtMs = 0;
  #failure: TracerError | undefined;
  #onIdle: () => void = () => undefined;

  /** Opens the file in another thread: a FIFO waits for its reader. Rejects with E_OUTPUT. */
  static async open(options: OutputOptions): Promise<Output> {
    const { file } = options;
    if (file === undefined) return new Output(options);
    const fd = await promisify(open)(file, 'w').catch((error: Error) => {
      throw outputError(file, 'E_OUTPUT', error);
    });
    return new Output(options, fd);
  }

  /** Opens the file, unless `fd` is where it is open. Throws E_OUTPUT. */
  constructor(options: OutputOptions = {}, fd?: number) {
    this.#options = options;
    this.#arena = new Arena({
      size: RING_BYTES,
      prepared: options.prepared ?? 0,
      maxLine: MAX_LINE,
      send: (piece) => this.#send(piece),
    });
    this.#fd = fd ?? this.#open();
    this.#writer = this.#makeWriter();
  }

  get bytes(): Buffer {
    return this.#arena.bytes;
  }

  get position(): number {
    return this.#arena.position;
  }

  get ready(): boolean {
    return this.#arena.hasRoom && this.#failure === undefined;
  }

  /** Bytes that are not in the file yet. */
  get pending(): number {
    return this.#arena.pending;
  }

  commit(end: number): void {
    this.#arena.commit(end);
  }

  writeText(text: string): void {
    const { bytes, position, hasRoom } = this.#arena;
    if (hasRoom && text.length * UTF8_MAX <= MAX_LINE)
      this.#arena.commit(position + bytes.write(text, position));
    else this.#arena.sendForeign(Buffer.from(text));
  }

  /** The same for bytes, which stay as they are from now on. */
  writeBytes(piece: Buffer): void {
    const { bytes, position, hasRoom } = this.#arena;
    if (hasRoom && piece.length <= MAX_LINE) this.#arena.commit(position + piece.copy(bytes, position));
    else this.#arena.sendForeign(piece);
  }

  /** What comes from now on goes into a new `file`, as with rotateSize: for what is no lines and cannot be cut anywhere. */
  startFile(): void {
    this.#arena.flush();
    if (this.#failure) return;
    this.#waiting.push(NEXT_FILE);
    if (this.#inFlight === 0) this.#nextFile();
  }

  flush(): void {
    this.#arena.flush();
    this.#checkFile();
  }

  /** Resolves when everything is written and the file is closed; rejects with what onError was told. */
  async end(): Promise<void> {
    this.#arena.flush();
    while (this.#inFlight > 0 && this.#failure === undefined) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    if (this.#failure) throw this.#failure;
    if (this.#options.file !== undefined) this.#attempt(() => closeSync(this.#fd));
    if (this.#failure) throw this.#failure;
  }

  #open(): number {
    const { file } = this.#options;
    if (file === undefined) return STDOUT;
    try {
      return openSync(file, 'w');
    } catch (error) {
      throw this.#outputError('E_OUTPUT', error as Error);
    }
  }

  #makeWriter(): SonicBoom {
    const writer = new sonicBoom.SonicBoom({
      fd: this.#fd,
      sync: false,
      contentMode: 'buffer',
      maxWrite: MAX_MERGE,
    });
    writer.on('write', (count: number) => this.#onWritten(count));
    writer.on('drain', () => this.#onDrain());
    writer.on('error', (error: NodeJS.ErrnoException) => {
      this.#fail(this.#outputError(error.code === 'EPIPE' ? 'E_READER_GONE' : 'E_OUTPUT', error));
    });
    return writer;
  }

  /** Gives the writer what belongs into this file, and keeps the rest for the next one. */
  #send(piece: Buffer): void {
    if (this.#failure) return;
    if (this.#waiting.length > 0) {
      this.#waiting.push(piece);
      return;
    }
    const cut = this.#cutAt(piece);
    if (cut > 0) this.#write(piece.subarray(0, cut));
    if (cut === piece.length) return;
    this.#waiting.push(NEXT_FILE, piece.subarray(cut));
    if (this.#inFlight === 0) this.#nextFile();
  }

  #write(piece: Buffer): void {
    this.#inFlight += piece.length;
    this.#fileBytes += piece.length;
    // sonic-boom's types know of strings only; in buffer mode it takes nothing but buffers.
    this.#writer.write(piece as unknown as string);
  }

  /** Bytes of whole lines that still fit into the file. A line that is longer than a file gets a file of its own. */
  #cutAt(piece: Buffer): number {
    const { rotateSize } = this.#options;
    const room = (rotateSize ?? Number.POSITIVE_INFINITY) - this.#fileBytes;
    if (piece.length <= room) return piece.length;
    const fitting = room > 0 ? piece.lastIndexOf(NEWLINE, room - 1) + 1 : 0;
    return fitting > 0 || this.#fileBytes > 0 ? fitting : piece.indexOf(NEWLINE) + 1;
  }

  #nextFile(): void {
    const { file, rotateKeep } = this.#options;
    this.#attempt(() => {
      closeSync(this.#fd);
      shiftFiles(file as string, rotateKeep ?? DEFAULT_KEEP);
      this.#fd = openSync(file as string, 'w');
    });
    if (this.#failure) return;
    this.#writer = this.#makeWriter();
    this.#fileBytes = 0;
    this.#sendWaiting();
  }

  /** #waiting begins with the file that is open now. */
  #sendWaiting(): void {
    const [, ...pieces] = this.#waiting;
    this.#waiting = [];
    for (const piece of pieces) {
      if (piece !== NEXT_FILE) this.#send(piece);
      else if (this.#inFlight > 0) this.#waiting.push(piece); // else the file that is open is still empty
    }
  }

  #onWritten(count: number): void {
    this.#inFlight -= count;
    this.written += count;
    this.#arena.written(count);
    if (this.ready) this.onReady();
  }

  #onDrain(): void {
    if (this.#inFlight > 0) return;
    if (this.#waiting.length > 0) this.#nextFile();
    else this.#onIdle();
  }

  /** A file that was deleted goes on taking bytes that nobody will ever read. */
  #checkFile(): void {
    const { file } = this.#options;
    if (file === undefined || Date.now() - this.#checkedAtMs < CHECK_INTERVAL_MS) return;
    this.#checkedAtMs = Date.now();
    fstat(this.#fd, (error, status) => {
      if (error || status.nlink > 0 || !status.isFile()) return;
      this.#fail(new TracerError('E_OUTPUT', `${file} was deleted while it was written`));
    });
  }

  #attempt(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#fail(this.#outputError('E_OUTPUT', error as Error));
    }
  }

  #fail(error: TracerError): void {
    if (this.#failure) return;
    this.#failure = error;
    this.onError(error);
    this.#onIdle();
  }

  #outputError(code: ErrorCode, cause: Error): TracerError {
    return outputError(this.#options.file, code, cause);
  }
}

function outputError(file: string | undefined, code: ErrorCode, cause: Error): TracerError {
  return new TracerError(code, `cannot write to ${file ?? 'standard output'}: ${cause.message}`, { cause });
}

const RING_BYTES = 1 << 20;
const MAX_LINE = 8192;
/** The most bytes of UTF-8 that a UTF-16 unit becomes. */
const UTF8_MAX = 3;
/** sonic-boom copies small pieces together up to this; full ones of the arena are larger and go out as they are. */
const MAX_MERGE = 64 * 1024;
const DEFAULT_KEEP = 5;
const CHECK_INTERVAL_MS = 1000;
const NEXT_FILE = Symbol('the next file');
const NEWLINE = 0x0a;
/** Not process.stdout: to touch it makes a pipe non-blocking, for those who share it too. */
const STDOUT = 1;
