import type { Facts } from './facts.js';

/** Lines of one batch, and what is known of each. Taken by a Chunk as it lies; empty again after clear(). */
export class Lines {
  readonly lengths: number[] = [];
  readonly facts: Facts[] = [];
  readonly drops: number[] = [];

  add(length: number, facts: Facts, drops: number): void {
    this.lengths.push(length);
    this.facts.push(facts);
    this.drops.push(drops);
  }

  clear(): void {
    this.lengths.length = 0;
    this.facts.length = 0;
    this.drops.length = 0;
  }
}

/**
 * A piece of the history: whole lines, one behind the other. What was written is never written again, so that sockets can be
 * given parts of it: as long as they have one, `pins` is not 0, and the memory is nobody else's.
 */
export class Chunk {
  readonly bytes: Buffer;
  /** Of its first line. */
  firstNumber = 0;
  /** Drops that all lines before this chunk told of. */
  dropsBefore = 0;
  pins = 0;
  /** Where each line ends. */
  readonly ends: number[] = [];
  readonly facts: Facts[] = [];
  /** Drops that all lines up to each one told of. */
  readonly drops: number[] = [];

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafeSlow(size);
  }

  get count(): number {
    return this.ends.length;
  }

  /** Bytes that are written. */
  get used(): number {
    return this.ends.at(-1) ?? 0;
  }

  /** Drops up to its end. */
  get dropsAfter(): number {
    return this.drops.at(-1) ?? this.dropsBefore;
  }

  startOf(index: number): number {
    return index === 0 ? 0 : (this.ends[index - 1] as number);
  }

  dropsUpTo(index: number): number {
    return index === 0 ? this.dropsBefore : (this.drops[index - 1] as number);
  }

  /** Takes as many whole lines as fit, from line `index` of the batch on, which begins at `at`. Returns how many. */
  take(batch: Lines, index: number, source: Buffer, at: number): number {
    let { used } = this;
    const from = used;
    let drops = this.dropsAfter;
    let next = index;
    for (; next < batch.lengths.length; next++) {
      const end = used + (batch.lengths[next] as number);
      if (end > this.bytes.length) break;
      used = end;
      drops += batch.drops[next] as number;
      this.ends.push(end);
      this.facts.push(batch.facts[next] as Facts);
      this.drops.push(drops);
    }
    if (used > from) source.copy(this.bytes, from, at, at + used - from);
    return next - index;
  }

  /** Forgets everything and begins anew. */
  reset(firstNumber: number, dropsBefore: number): void {
    this.firstNumber = firstNumber;
    this.dropsBefore = dropsBefore;
    this.ends.length = 0;
    this.facts.length = 0;
    this.drops.length = 0;
  }
}
