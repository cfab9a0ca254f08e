import { randomBytes } from 'node:crypto';
import { DropReader } from './decode.js';
import { DETAIL, DROP, FLOW, TASK } from './layout.gen.js';

/** Bytes of a drop record: runs from an offset to behind an end, all multiples of 4. */
export type RecordPart = readonly (readonly [start: number, end: number])[];

/** All that the drops of a flow share. */
export const FLOW_PART: RecordPart = [[DROP.flow, DROP.size]];

/** What the drops of all flows share that die in one place on one device in one state. */
export const CONTEXT_PART: RecordPart = [
  [DROP.flow + FLOW.location, DROP.flow + FLOW.mark],
  [DROP.flow + FLOW.device, DROP.flow + FLOW.src],
  [DROP.flow + FLOW.ethertype, DROP.flow + FLOW.size],
  [DROP.detail + DETAIL.flags, DROP.detail + DETAIL.length],
  [DROP.detail + DETAIL.device_flags, DROP.detail + DETAIL.size],
];

export const TASK_PART: RecordPart = [[DROP.task, DROP.task + TASK.size]];

export interface PartCacheOptions<T> {
  readonly part: RecordPart;
  /** Entries; with one more the cache is cleared. A power of two. */
  readonly max: number;
  /**
   * Makes the value for a part that is not known yet. `id` is below max and the value's own until the next clear. `old` is
   * a value with this id that was forgotten: to fill it anew leaves no garbage.
   */
  readonly create: (drop: DropReader, id: number, old: T | undefined) => T;
  /** Called before the values are forgotten. */
  readonly onClear?: (values: readonly T[]) => void;
}

/**
 * Remembers what follows from one part of a drop record, so that it is worked out once and not for every drop. Parts are
 * compared byte by byte. A hit makes no garbage. When it is full everything is forgotten: bounded, and no order to keep.
 */
export class PartCache<T> {
  readonly #options: PartCacheOptions<T>;
  /** Offsets of the part's words in the record, in words. */
  readonly #offsets: Int32Array;
  /** Open addressing: id + 1, or 0 for a free slot. */
  readonly #slots: Int32Array;
  readonly #hashes: Int32Array;
  readonly #keys: Uint32Array;
  /** Those from `#size` on are forgotten. */
  readonly #values: T[] = [];
  #size = 0;

  constructor(options: PartCacheOptions<T>) {
    this.#options = options;
    this.#offsets = wordOffsets(options.part);
    this.#slots = new Int32Array(options.max * 2);
    this.#hashes = new Int32Array(options.max);
    this.#keys = new Uint32Array(options.max * this.#offsets.length);
  }

  find(drop: DropReader): T {
    const words = drop.view.words;
    const at = drop.at >>> 2;
    const hash = this.#hash(words, at);
    const mask = this.#slots.length - 1;
    for (let probe = 0; probe < MAX_PROBES; probe++) {
      const id = (this.#slots[(hash + probe) & mask] as number) - 1;
      if (id < 0) break;
      if (this.#hashes[id] === hash && this.#isEqual(id, words, at)) return this.#values[id] as T;
    }
    return this.#insert(drop, hash, words, at);
  }

  /** The part of an entry again, as a reader: only what lies in the part means something. For parts of one run. */
  reader(id: number): DropReader {
    const reader = new DropReader();
    reader.view = { bytes: new Uint8Array(this.#keys.buffer), words: this.#keys };
    reader.at = (id * this.#offsets.length - (this.#offsets[0] as number)) * 4;
    return reader;
  }

  clear(): void {
    this.#options.onClear?.(this.#values.slice(0, this.#size));
    this.#size = 0;
    this.#slots.fill(0);
  }

  #hash(words: Uint32Array, at: number): number {
    const offsets = this.#offsets;
    let hash = SEED;
    for (let index = 0; index < offsets.length; index++) {
      hash = Math.imul(hash ^ (words[at + (offsets[index] as number)] as number), 0x85ebca6b);
      hash = (hash << 13) | (hash >>> 19);
    }
    return hash ^ (hash >>> 16);
  }

  #isEqual(id: number, words: Uint32Array, at: number): boolean {
    const offsets = this.#offsets;
    const keys = this.#keys;
    const key = id * offsets.length;
    for (let index = 0; index < offsets.length; index++) {
      if (keys[key + index] !== words[at + (offsets[index] as number)]) return false;
    }
    return true;
  }

  #insert(drop: DropReader, hash: number, words: Uint32Array, at: number): T {
    if (this.#size === this.#options.max) this.clear();
    let slot = this.#freeSlot(hash);
    if (slot < 0) {
      this.clear();
      slot = this.#freeSlot(hash);
    }
    const id = this.#size;
    const value = this.#options.create(drop, id, this.#values[id]);
    this.#slots[slot] = id + 1;
    this.#hashes[id] = hash;
    const key = id * this.#offsets.length;
    for (const [index, offset] of this.#offsets.entries())
      this.#keys[key + index] = words[at + offset] as number;
    this.#values[id] = value;
    this.#size++;
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

function wordOffsets(part: RecordPart): Int32Array {
  const offsets: number[] = [];
  for (const [start, end] of part) {
    for (let offset = start; offset < end; offset += 4) offsets.push(offset >>> 2);
  }
  return Int32Array.from(offsets);
}

/** A sender that picks addresses for their hashes can cost this many comparisons for a drop, not a walk over the table. */
const MAX_PROBES = 32;
/** Not known to senders, for the same reason. */
const SEED = randomBytes(4).readInt32LE();
