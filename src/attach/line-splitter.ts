import { NotOurs } from './not-ours.js';

/** Lines out of bytes that come in any portions. Bounded: who sends a line without an end is no server of ours. */
export class LineSplitter {
  readonly #maxBytes: number;
  #rest: Buffer[] = [];
  #restBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Whole lines, without their newlines. What is not whole waits for the rest of it. Throws NotOurs. */
  *take(bytes: Buffer): Generator<string> {
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      yield this.#join(bytes.subarray(start, end));
      start = end + 1;
    }
    // A copy: the beginning of a line is not to keep all the bytes that it came with.
    if (start < bytes.length) this.#keep(Buffer.from(bytes.subarray(start)));
  }

  #join(end: Buffer): string {
    this.#keep(end);
    const line = this.#rest.length === 1 ? end : Buffer.concat(this.#rest);
    this.#rest = [];
    this.#restBytes = 0;
    return line.toString('utf8');
  }

  #keep(part: Buffer): void {
    this.#rest.push(part);
    this.#restBytes += part.length;
    if (this.#restBytes <= this.#maxBytes) return;
    throw new NotOurs(`sent a line of more than ${this.#maxBytes} bytes`);
  }
}

const NEWLINE = 0x0a;
