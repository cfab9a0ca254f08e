/** Begins or ends to listen in a network namespace. Returns 0 or a negative errno. */
export type Watch = (netns: number, on: boolean) => number;

export interface WatchedOptions {
  readonly watch: Watch;
  /** Our own is listened to from the start, unless that failed. */
  readonly own: number | undefined;
  /** Milliseconds that never go back. */
  readonly now: () => number;
}

/**
 * The network namespaces whose routes are listened to: our own, those asked for, and those that drops come from. Each of them
 * but our own costs a socket which holds the namespace, so they are few, and the one without drops for longest gives way.
 */
export class Watched {
  readonly #options: WatchedOptions;
  /** When drops were met there last; those listened to for longest first. */
  readonly #met = new Map<number, number>();
  readonly #sinceMs = new Map<number, number>();
  readonly #refused = new Map<number, number>();
  #attemptsMs = Number.NEGATIVE_INFINITY;
  #attempts = 0;

  constructor(options: WatchedOptions) {
    this.#options = options;
    if (options.own !== undefined) this.#sinceMs.set(options.own, options.now());
  }

  /** Since when a namespace is listened to, in milliseconds; undefined: it is not. */
  sinceMs(netns: number): number | undefined {
    return this.#sinceMs.get(netns);
  }

  /** There are drops that routes decide about. */
  meet(netns: number): void {
    const now = this.#options.now();
    if (this.#met.has(netns)) this.#met.set(netns, now);
    else if (netns !== 0 && !this.#sinceMs.has(netns) && this.#mayTry(netns, now)) this.#begin(netns, now);
  }

  /** The core has given it up: it is gone, or cannot be found any more. */
  forget(netns: number): void {
    this.#met.delete(netns);
    this.#sinceMs.delete(netns);
  }

  #begin(netns: number, now: number): void {
    const hasRoom = this.#met.size < MAX_OTHERS || this.#makeRoom(now);
    if (!hasRoom || this.#options.watch(netns, true) !== 0) {
      this.#refuse(netns, now);
      return;
    }
    this.#met.set(netns, now);
    this.#sinceMs.set(netns, now);
  }

  #makeRoom(now: number): boolean {
    const [oldest] = [...this.#met].sort(([, one], [, other]) => one - other);
    if (oldest === undefined || now - oldest[1] < IDLE_MS) return false;
    this.#options.watch(oldest[0], false);
    this.forget(oldest[0]);
    return true;
  }

  /** To find a namespace means to look through all processes. */
  #mayTry(netns: number, now: number): boolean {
    if (now - (this.#refused.get(netns) ?? Number.NEGATIVE_INFINITY) < AGAIN_MS) return false;
    if (now - this.#attemptsMs >= SECOND_MS) {
      this.#attemptsMs = now;
      this.#attempts = 0;
    }
    return ++this.#attempts <= MAX_ATTEMPTS;
  }

  #refuse(netns: number, now: number): void {
    if (this.#refused.size === MAX_REFUSED) this.#refused.clear();
    this.#refused.set(netns, now);
  }
}

/** RPF_WATCHES of native/core/rpf_internal.h, without our own. */
const MAX_OTHERS = 15;
const MAX_ATTEMPTS = 20;
const MAX_REFUSED = 1024;
const SECOND_MS = 1000;
const IDLE_MS = 30_000;
const AGAIN_MS = 10_000;
