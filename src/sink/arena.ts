/** One handed-over piece: bytes that are still to be written, and bytes of the ring that it frees when they are. */
interface Segment {
  left: number;
  charge: number;
}

export interface ArenaOptions {
  /** Bytes of the ring. */
  readonly size: number;
  /** Bytes before the ring that are the owner's: what it prepares there is copied into the ring at the least cost. */
  readonly prepared: number;
  readonly maxLine: number;
  readonly send: (segment: Buffer) => void;
}

/**
 * A ring of bytes that lines are written into and files are written from, so that a stream of any length makes no garbage.
 * A line never wraps. The owner writes at `position`, up to `maxLine` bytes while hasRoom, and commits; what is flushed
 * goes to `send` and stays untouched until written() says that it has been written.
 */
export class Arena {
  readonly bytes: Buffer;
  readonly #options: ArenaOptions;
  /** Where the next line goes. */
  position: number;
  #flushedTo: number;
  /** Bytes of the ring that must not be touched. */
  #used = 0;
  readonly #segments: Segment[] = [];

  constructor(options: ArenaOptions) {
    this.#options = options;
    this.bytes = Buffer.allocUnsafeSlow(options.prepared + options.size);
    this.position = options.prepared;
    this.#flushedTo = options.prepared;
  }

  /** Whether one more line fits. */
  get hasRoom(): boolean {
    return this.#used + this.#options.maxLine <= this.#options.size;
  }

  /** Bytes that were sent or committed and not yet written, out-of-ring ones included. */
  get pending(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.left, this.position - this.#flushedTo);
  }

  /** The line that ends at `end` is done. */
  commit(end: number): void {
    this.#used += end - this.position;
    this.position = end;
    if (end + this.#options.maxLine > this.bytes.length) this.#wrap();
    else if (end - this.#flushedTo >= FLUSH_BYTES) this.flush();
  }

  /** Hands over what was committed since the last time. */
  flush(): void {
    const length = this.position - this.#flushedTo;
    if (length === 0) return;
    const segment = this.bytes.subarray(this.#flushedTo, this.position);
    this.#flushedTo = this.position;
    this.#segments.push({ left: length, charge: length });
    this.#options.send(segment);
  }

  /** Hands over bytes that lie elsewhere, after all that was committed. For the few events that may be of any length. */
  sendForeign(bytes: Buffer): void {
    this.flush();
    this.#segments.push({ left: bytes.length, charge: 0 });
    this.#options.send(bytes);
  }

  /** The next `count` bytes of what was sent are written. */
  written(count: number): void {
    let rest = count;
    while (rest > 0) {
      const segment = this.#segments[0];
      if (segment === undefined) return;
      const taken = Math.min(rest, segment.left);
      segment.left -= taken;
      rest -= taken;
      if (segment.left > 0) return;
      this.#used -= segment.charge;
      this.#segments.shift();
    }
  }

  /** Goes back to the start. The rest of the ring is charged to the last piece, and free when that one is written. */
  #wrap(): void {
    this.flush();
    const rest = this.bytes.length - this.position;
    const last = this.#segments.at(-1);
    if (last) {
      last.charge += rest;
      this.#used += rest;
    }
    this.position = this.#options.prepared;
    this.#flushedTo = this.#options.prepared;
  }
}

/** Large enough that the system call hardly counts, small enough that several are on their way. */
const FLUSH_BYTES = 128 * 1024;
