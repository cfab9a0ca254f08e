import type { Batch, Capture } from '../capture/capture.js';
import type { Clock } from './clock.js';
import { BatchReader, type BatchView, viewOf } from './decode.js';

/** The batches that are out, as one record after the other. As many as the addon has slots. */
export class Records {
  readonly reader = new BatchReader();
  /** Milliseconds of performance.now() when the batch was opened. */
  openedMs = 0;
  readonly #capture: Capture;
  readonly #clock: Clock;
  readonly #views: readonly BatchView[];
  /** The one being read first. */
  readonly #batches: Batch[] = [];
  #isOpen = false;

  constructor(capture: Capture, clock: Clock) {
    this.#capture = capture;
    this.#clock = clock;
    this.#views = capture.buffers.map(viewOf);
  }

  /** Whether all that came was read. */
  get isEmpty(): boolean {
    return this.#batches.length === 0;
  }

  add(batch: Batch): void {
    this.#batches.push(batch);
  }

  /** Sees to it that the reader stands in a batch. Returns whether there is one. */
  open(): boolean {
    const batch = this.#batches[0];
    if (batch === undefined) return false;
    if (this.#isOpen) return true;
    this.#isOpen = true;
    this.openedMs = performance.now();
    this.reader.open(this.#views[batch.slot] as BatchView, batch.bytes);
    const { wallOffsetNs, timeNs } = this.reader;
    if (wallOffsetNs !== undefined) this.#clock.learn(wallOffsetNs, timeNs);
    return true;
  }

  /** The open batch was read to its end: its memory is the addon's again. */
  release(): void {
    this.#capture.release(this.#batches.shift() as Batch);
    this.#isOpen = false;
  }
}
