import { randomBytes } from 'node:crypto';
import type { DropReader } from './decode.js';
import { DETAIL, DROP, FLOW, TASK } from './layout.gen.js';

/** A run of bytes in a drop record: offset and length, multiples of 4. */
export interface RecordPart {
  readonly offset: number;
  readonly length: number;
}

/** The bytes that all drops of a flow share. */
export const FLOW_PART: RecordPart = { offset: DROP.flow, length: FLOW.size + DETAIL.size };
export const TASK_PART: RecordPart = { offset: DROP.task, length: TASK.size };

export interface PartCacheOptions<T> {
  readonly part: RecordPart;
  /** Entries; with one more the cache is cleared. A power of two. */
  readonly max: number;
  /** Makes the value for a part that is not known yet. `id` is below max and the value's own until the next clear. */
  readonly create: (drop: DropReader, id: number) => T;
  /** Called before the values are forgotten. */
  readonly onClear?: (values: readonly T[]) => void;
}

/**
 * Remembers what follows from one part of a drop record, so that it is worked out once and not for every drop. Parts are
 * compared byte by byte. A hit makes no garbage. When it is full everything is forgotten: bounded, and no order to keep.
 */
export class PartCache<T> {
  readonly #options: PartCacheOptions<T>;
  readonly #words: number;
  readonly #offset: number;
  /** Open addressing: id + 1, or 0 for a free slot. */
  readonly #slots: Int32Array;
  readonly #hashes: Int32Array;
  readonly #keys: Uint32Array;
  #values: T[] = [];

  constructor(options: PartCacheOptions<T>) {
    this.#options = options;
    this.#words = options.part.length >>> 2;
    this.#offset = options.part.offset >>> 2;
    this.#slots = new Int32Array(options.max * 2);
    this.#hashes = new Int32Array(options.max);
    this.#keys = new Uint32Array(options.max * this.#words);
  }

  find(drop: DropReader): T {
    const words = drop.view.words;
    const at = (drop.at >>> 2) + this.#offset;
    const hash = this.#hash(words, at);
    const mask = this.#slots.length - 1;
    for (let probe = 0; probe < MAX_PROBES; probe++) {
      const id = (this.#slots[(hash + probe) & mask] as number) - 1;
      if (id < 0) break;
      if (this.#hashes[id] === hash && this.#isEqual(id, words, at)) return this.#values[id] as T;
    }
    return this.#insert(drop, hash, words, at);
  }

  clear(): void {
    this.#options.onClear?.(this.#values);
    this.#values = [];
    this.#slots.fill(0);
  }

  #hash(words: Uint32Array, at: number): number {
    const end = at + this.#words;
    let hash = SEED;
    for (let index = at; index < end; index++) {
      hash = Math.imul(hash ^ (words[index] as number), 0x85ebca6b);
      hash = (hash << 13) | (hash >>> 19);
    }
    return hash ^ (hash >>> 16);
  }

  #isEqual(id: number, words: Uint32Array, at: number): boolean {
    const key = id * this.#words;
    for (let index = 0; index < this.#words; index++) {
      if (this.#keys[key + index] !== words[at + index]) return false;
    }
    return true;
  }

  #insert(drop: DropReader, hash: number, words: Uint32Array, at: number): T {
    if (this.#values.length === this.#options.max) this.clear();
    let slot = this.#freeSlot(hash);
    if (slot < 0) {
      this.clear();
      slot = this.#freeSlot(hash);
    }
    const id = this.#values.length;
    const value = this.#options.create(drop, id);
    this.#slots[slot] = id + 1;
    this.#hashes[id] = hash;
    this.#keys.set(words.subarray(at, at + this.#words), id * this.#words);
    this.#values.push(value);
    return value;
  }

  #freeSlot(hash: number): number {
    const mask = this.#slots.length - 1;
    for (let probe = 0; probe < MAX_PROBES; probe++) {
      if (this.#slots[(hash + probe) & mask] === 0) return (hash + probe) & mask;
    }
    return -1;
  }
}

/** A sender that picks addresses for their hashes can cost this many comparisons for a drop, not a walk over the table. */
const MAX_PROBES = 32;
/** Not known to senders, for the same reason. */
const SEED = randomBytes(4).readInt32LE();
