import type { PodSighting, SourceName } from '../source.js';

/** How many pods of each source are kept. Those that find no place wait until another one is gone. */
export class Room {
  readonly #max: number;
  readonly #taken = new Map<SourceName, number>();
  readonly #waiting = new Map<SourceName, Map<string, PodSighting>>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Whether there was a place for it; else it waits. */
  take(source: SourceName, sighting: PodSighting): boolean {
    const taken = this.#taken.get(source) ?? 0;
    const waiting = this.#waitingOf(source);
    waiting.delete(sighting.key);
    if (taken < this.#max) this.#taken.set(source, taken + 1);
    else if (waiting.size < MAX_WAITING) waiting.set(sighting.key, sighting);
    return taken < this.#max;
  }

  /** A pod of the source has left its place. Returns the one that is to have it. */
  free(source: SourceName): PodSighting | undefined {
    this.#taken.set(source, (this.#taken.get(source) ?? 0) - 1);
    const [next] = this.#waitingOf(source).values();
    return next;
  }

  /** It waits no more. */
  forget(source: SourceName, key: string): void {
    this.#waiting.get(source)?.delete(key);
  }

  /** Only these wait. */
  keepOnly(source: SourceName, keys: ReadonlySet<string>): void {
    const waiting = this.#waitingOf(source);
    for (const key of [...waiting.keys()]) if (!keys.has(key)) waiting.delete(key);
  }

  /** In words, where not all pods of the source are known. */
  lack(source: SourceName): string | undefined {
    const waiting = this.#waiting.get(source)?.size ?? 0;
    if (waiting === 0) return undefined;
    const [more, max] = [waiting, this.#max].map((count) => count.toLocaleString('en'));
    return `${waiting < MAX_WAITING ? more : `${more} or more`} pods beyond ${max} are not known`;
  }

  #waitingOf(source: SourceName): Map<string, PodSighting> {
    const known = this.#waiting.get(source);
    if (known) return known;
    const fresh = new Map<string, PodSighting>();
    this.#waiting.set(source, fresh);
    return fresh;
  }
}

/** Sources tell of 10,000 at most. */
const MAX_WAITING = 10_000;
