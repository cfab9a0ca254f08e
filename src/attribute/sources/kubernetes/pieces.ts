import { ApiFailure } from './failure.js';

/** Bytes of several chunks, up to a bound: what is beyond is dropped. */
export class Pieces {
  readonly #max: number;
  #pieces: Buffer[] = [];
  #length = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  get isTooLarge(): boolean {
    return this.#length > this.#max;
  }

  /** Copies: chunks are large, what is kept of them may be small. */
  add(chunk: Buffer, start: number, end: number): void {
    if (start >= end) return;
    this.#length += end - start;
    if (this.isTooLarge) this.#pieces = [];
    else this.#pieces.push(Buffer.from(chunk.subarray(start, end)));
  }

  peek(): Buffer {
    const [first, second] = this.#pieces;
    return first !== undefined && second === undefined ? first : Buffer.concat(this.#pieces);
  }

  tail(bytes: number): string {
    // No piece is empty, so these hold enough.
    return Buffer.concat(this.#pieces.slice(-bytes)).subarray(-bytes).toString('latin1');
  }

  take(): Buffer {
    const bytes = this.peek();
    this.clear();
    return bytes;
  }

  clear(): void {
    this.#pieces = [];
    this.#length = 0;
  }
}

/** @throws {ApiFailure} 'malformed', without the text that was wrong. */
export function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    throw new ApiFailure('malformed', 'the answer is no JSON');
  }
}

/** etcd takes no object of more than 1.5 MiB; JSON is somewhat longer than what it keeps. */
export const MAX_OBJECT_BYTES = 4 << 20;
