import type { LineOutput } from '../../sink/lines.js';
import { Lines } from './chunk.js';
import type { Facts } from './facts.js';
import type { Journal } from './journal.js';

/** Takes the lines of a sink into the journal, and writes into each which event it is. Always ready. */
export class JournalOutput implements LineOutput {
  readonly bytes: Buffer;
  position: number;
  readonly ready = true;
  onReady: () => void = () => undefined;
  /** What the next line is about. Set before each. */
  facts: Facts = { kind: 'start' };
  drops = 0;
  readonly #journal: Journal;
  readonly #start: number;
  /** `","event_id":"EPOCH-` */
  readonly #beforeNumber: string;
  readonly #batch = new Lines();

  /** `prepared`: bytes at the start of its memory that are the sink's own. */
  constructor(journal: Journal, prepared: number) {
    this.#journal = journal;
    this.#start = prepared;
    this.position = prepared;
    this.bytes = Buffer.allocUnsafeSlow(prepared + BATCH_BYTES);
    this.#beforeNumber = `,"event_id":"${journal.epoch}-`;
  }

  /** A line is one object, and ends with }\n: what is said of which event it is comes before that. */
  commit(end: number): void {
    const { bytes } = this;
    const number = this.#journal.nextNumber + this.#batch.lengths.length;
    let at = end - 2;
    at += bytes.write(this.#beforeNumber, at, 'latin1');
    at = writeNumber(bytes, at, number);
    at += bytes.write('"}\n', at, 'latin1');
    this.#batch.add(at - this.position, this.facts, this.drops);
    this.position = at;
    if (at + LINE_BYTES > bytes.length) this.flush();
  }

  writeText(text: string): void {
    if (text.length * UTF8_MAX <= MAX_LINE)
      this.commit(this.position + this.bytes.write(text, this.position));
    else this.#writeLong(text);
  }

  /** Hands over what was committed. */
  flush(): void {
    if (this.#batch.lengths.length === 0) return;
    this.#journal.append(this.bytes, this.#start, this.#batch);
    this.#batch.clear();
    this.position = this.#start;
  }

  async end(): Promise<void> {
    this.flush();
  }

  #writeLong(text: string): void {
    this.flush();
    const line = Buffer.from(`${text.slice(0, -2)}${this.#beforeNumber}${this.#journal.nextNumber}"}\n`);
    const one = new Lines();
    one.add(line.length, this.facts, this.drops);
    this.#journal.append(line, 0, one);
  }
}

/** Decimal digits. Returns where they end. */
function writeNumber(bytes: Buffer, at: number, number: number): number {
  let end = at + 1;
  for (let power = 10; number >= power; power *= 10) end++;
  let rest = number;
  for (let index = end - 1; index >= at; index--) {
    const next = Math.floor(rest / 10);
    bytes[index] = 0x30 + rest - next * 10;
    rest = next;
  }
  return end;
}

/** As sink/lines.ts promises. */
const MAX_LINE = 8192;
/** With its event_id. */
const LINE_BYTES = MAX_LINE + 64;
/** Lines are copied to the journal in batches of up to so many bytes. */
const BATCH_BYTES = 64 * 1024;
/** The most bytes of UTF-8 that a UTF-16 unit becomes. */
const UTF8_MAX = 3;
