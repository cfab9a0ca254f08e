/** Tells the first loss at once, those after it in sums. */
export class LossNotes {
  readonly #note: (text: string) => void;
  #events = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(note: (text: string) => void) {
    this.#note = note;
  }

  add(events: number): void {
    this.#events += events;
    if (this.#timer === undefined) this.#tell();
  }

  /** Tells what is left to tell. */
  close(): void {
    clearTimeout(this.#timer);
    if (this.#events > 0) this.#tell();
    clearTimeout(this.#timer);
  }

  #tell(): void {
    this.#timer = undefined;
    if (this.#events === 0) return;
    this.#note(`history: ${this.#events} events are not on disk: it was too slow, or full`);
    this.#events = 0;
    this.#timer = setTimeout(() => this.#tell(), GAP_MS).unref();
  }
}

const GAP_MS = 10_000;
