import { Chunk, type Lines } from './chunk.js';

export interface JournalOptions {
  readonly epoch: string;
  /** Bytes of lines that are remembered; the oldest are forgotten first. */
  readonly maxBytes: number;
}

/**
 * The newest events of a server, as lines, numbered from 1 on. It takes all that comes and waits for nobody: who reads too
 * slowly finds out by the numbers what was forgotten meanwhile.
 */
export class Journal {
  readonly epoch: string;
  /** Called when lines were appended. */
  readonly listeners = new Set<() => void>();
  #maxBytes: number;
  readonly #chunks: Chunk[] = [];
  #bytes = 0;
  #nextNumber = 1;

  constructor({ epoch, maxBytes }: JournalOptions) {
    this.epoch = epoch;
    this.#maxBytes = maxBytes;
  }

  /** Number of the next event. */
  get nextNumber(): number {
    return this.#nextNumber;
  }

  /** Number of the oldest event that is remembered; nextNumber where there is none. */
  get oldestNumber(): number {
    return this.#chunks[0]?.firstNumber ?? this.#nextNumber;
  }

  /** Bytes of memory that lines take. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Oldest first. */
  get chunks(): readonly Chunk[] {
    return this.#chunks;
  }

  /** Takes effect when the next chunk begins. */
  set maxBytes(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Lines that lie one behind the other in `source` from `start` on. */
  append(source: Buffer, start: number, batch: Lines): void {
    let at = start;
    for (let index = 0; index < batch.lengths.length; ) {
      const chunk = this.#chunkFor(batch.lengths[index] as number);
      const before = chunk.used;
      const taken = chunk.take(batch, index, source, at);
      at += chunk.used - before;
      index += taken;
      this.#nextNumber += taken;
    }
    for (const listener of this.listeners) listener();
  }

  /** The chunk with this event; undefined where it is forgotten or yet to come. */
  find(number: number): Chunk | undefined {
    if (number >= this.#nextNumber) return undefined;
    let low = 0;
    let high = this.#chunks.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const chunk = this.#chunks[middle] as Chunk;
      if (number < chunk.firstNumber) high = middle - 1;
      else if (number >= chunk.firstNumber + chunk.count) low = middle + 1;
      else return chunk;
    }
    return undefined;
  }

  /** The last one, or a new one where a line of this length does not fit. */
  #chunkFor(length: number): Chunk {
    const last = this.#chunks.at(-1);
    if (last && last.used + length <= last.bytes.length) return last;
    const size = Math.max(length, CHUNK_BYTES);
    const spare = this.#makeRoom(size);
    const chunk = spare?.bytes.length === size ? spare : new Chunk(size);
    chunk.reset(this.#nextNumber, last?.dropsAfter ?? 0);
    this.#chunks.push(chunk);
    this.#bytes += size;
    return chunk;
  }

  /** Forgets the oldest. Returns one whose memory nobody uses any more. */
  #makeRoom(size: number): Chunk | undefined {
    let spare: Chunk | undefined;
    while (this.#chunks.length > 0 && this.#bytes + size > this.#maxBytes) {
      const oldest = this.#chunks.shift() as Chunk;
      this.#bytes -= oldest.bytes.length;
      if (oldest.pins === 0) spare = oldest;
    }
    return spare;
  }
}

/**
 * What a reader that has stopped reading can hold on to, beside its socket's buffer: of 200 such readers each has another one
 * in the worst case, 13 MB.
 */
export const CHUNK_BYTES = 64 * 1024;
