/**
 * Tells whether an answer is still right without asking again: each key that an answer rests on has a counter that goes up
 * when something is learned of it. Keys share counters, so an answer may be asked for once too often, never too seldom.
 */
export class Versions {
  /** Another number when any counter has changed. */
  epoch = 0;
  readonly #counters = new Uint32Array(SLOTS);
  /** What concerns every answer. */
  #all = 0;

  bump(key: string | number): void {
    const slot = slotOf(key);
    this.#counters[slot] = (this.#counters[slot] as number) + 1;
    this.epoch++;
  }

  bumpAll(): void {
    this.#all++;
    this.epoch++;
  }

  /** Of slots: another number when one of their keys was bumped. Counters only grow, so the sum tells. */
  sum(slots: Int32Array, count: number): number {
    let sum = this.#all;
    for (let index = 0; index < count; index++) sum += this.#counters[slots[index] as number] as number;
    return sum;
  }
}

/** The place of a key's counter. */
export function slotOf(key: string | number): number {
  if (typeof key === 'number') return mix(key | 0);
  let hash = 0;
  for (let index = 0; index < key.length; index++) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193);
  return mix(hash);
}

function mix(hash: number): number {
  const once = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (once ^ (once >>> 13)) & (SLOTS - 1);
}

/** Pods of a node times their keys. 16 KiB. */
const SLOTS = 4096;
