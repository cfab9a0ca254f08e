import type { Chunk } from './chunk.js';
import type { Journal } from './journal.js';

/** Lines of one chunk, from index `from` up to, not including, `to`. */
export interface Span {
  readonly chunk: Chunk;
  readonly from: number;
  readonly to: number;
}

/** Events that were forgotten before they were read. */
export interface Loss {
  readonly events: number;
  /** What they told of, where that is known. */
  readonly drops: number | undefined;
}

/** Where somebody is who reads the journal at his own pace. */
export class Cursor {
  readonly #journal: Journal;
  #number: number;
  /** Drops that all events before it told of; undefined where nobody knows. */
  #drops: number | undefined;

  /** The next one that is read is event `number`. */
  constructor(journal: Journal, number: number) {
    this.#journal = journal;
    this.#number = number;
    this.#drops = dropsBefore(journal, number);
  }

  /** Number of the event that is read next. */
  get number(): number {
    return this.#number;
  }

  /** Goes to what is remembered. Undefined where nothing was forgotten. */
  takeLoss(): Loss | undefined {
    const oldest = this.#journal.oldestNumber;
    if (this.#number >= oldest) return undefined;
    const drops = dropsBefore(this.#journal, oldest);
    const loss = {
      events: oldest - this.#number,
      drops: drops === undefined || this.#drops === undefined ? undefined : drops - this.#drops,
    };
    this.#number = oldest;
    this.#drops = drops;
    return loss;
  }

  /** All that follows in one chunk; undefined where nothing does yet. Ask takeLoss() first. */
  next(): Span | undefined {
    const chunk = this.#journal.find(this.#number);
    if (chunk === undefined) return undefined;
    const span = { chunk, from: this.#number - chunk.firstNumber, to: chunk.count };
    this.#number = chunk.firstNumber + chunk.count;
    this.#drops = chunk.dropsAfter;
    return span;
  }
}

function dropsBefore(journal: Journal, number: number): number | undefined {
  const chunk = journal.find(number);
  if (chunk) return chunk.dropsUpTo(number - chunk.firstNumber);
  return number === journal.nextNumber ? (journal.chunks.at(-1)?.dropsAfter ?? 0) : undefined;
}
