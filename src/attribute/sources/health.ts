import type { SourceName, SourceState } from '../source.js';

/** What a source says of itself. */
export class Health {
  readonly #name: SourceName;
  #state: SourceState['state'] = 'connecting';
  #at: string | undefined;
  #why: string | undefined;
  #lastMs: number | undefined;
  #pods: number | undefined;

  constructor(name: SourceName) {
    this.#name = name;
  }

  get state(): SourceState {
    return {
      name: this.#name,
      state: this.#state,
      at: this.#at,
      why: this.#why,
      ageMs: this.#lastMs === undefined ? undefined : Math.round(performance.now() - this.#lastMs),
      pods: this.#pods,
    };
  }

  /** Where it is looked for from now on. */
  lookingAt(at: string): void {
    this.#at = at;
  }

  /** It gave an answer. `why`: what is missing in it. */
  ok(pods: number, why?: string): void {
    this.#state = 'ok';
    this.#why = why;
    this.#lastMs = performance.now();
    this.#pods = pods;
  }

  /** There is no such thing on this node. What was there before is stale. */
  absent(why: string): void {
    this.#state = this.#lastMs === undefined ? 'absent' : 'stale';
    this.#why = why;
  }

  /** It did not answer, or nothing that can be used. */
  failed(why: string): void {
    this.#state = this.#lastMs === undefined ? 'failed' : 'stale';
    this.#why = why;
  }
}
