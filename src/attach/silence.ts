/** Tells when nothing was heard for too long since the last hear(). */
export class Silence {
  readonly #ms: number;
  readonly #onSilent: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(ms: number, onSilent: () => void) {
    this.#ms = ms;
    this.#onSilent = onSilent;
  }

  /** Begins to wait anew. */
  hear(): void {
    if (this.#timer) this.#timer.refresh();
    else this.#timer = setTimeout(this.#onSilent, this.#ms);
  }

  /** Who does not listen cannot tell. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
