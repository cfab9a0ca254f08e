import type { Observer, PeerSighting } from '../../source.js';

/**
 * Tells the observer of peers. Several objects may speak of one peer (a pod behind two services): it is gone when the last
 * of them is. Bounded: peers beyond are not told.
 */
export class PeerBook {
  readonly #observer: Observer;
  readonly #max: number;
  /** Peers of each object, by its UID. */
  readonly #spoken = new Map<string, readonly string[]>();
  readonly #speakers = new Map<string, number>();
  /** Whether there were more than are kept. */
  isFull = false;

  constructor(observer: Observer, max: number) {
    this.#observer = observer;
    this.#max = max;
  }

  get size(): number {
    return this.#speakers.size;
  }

  keys(): Set<string> {
    return new Set(this.#speakers.keys());
  }

  /** What the object says now, in place of what it said before. */
  put(uid: string, peers: readonly PeerSighting[]): void {
    const before = this.#spoken.get(uid) ?? [];
    const now = new Set<string>();
    for (const peer of peers) {
      if (now.has(peer.key) || !this.#speak(peer.key, before)) continue;
      now.add(peer.key);
      this.#observer.peer(peer);
    }
    if (now.size > 0) this.#spoken.set(uid, [...now]);
    else this.#spoken.delete(uid);
    for (const key of before) if (!now.has(key)) this.#fallSilent(key);
  }

  drop(uid: string): void {
    this.put(uid, []);
  }

  /** Returns whether there is room for it. */
  #speak(key: string, before: readonly string[]): boolean {
    if (before.includes(key)) return true;
    const speakers = this.#speakers.get(key) ?? 0;
    if (speakers === 0 && this.#speakers.size >= this.#max) {
      this.isFull = true;
      return false;
    }
    this.#speakers.set(key, speakers + 1);
    return true;
  }

  #fallSilent(key: string): void {
    const left = (this.#speakers.get(key) ?? 1) - 1;
    if (left > 0) {
      this.#speakers.set(key, left);
      return;
    }
    this.#speakers.delete(key);
    this.#observer.peerGone(key);
  }
}
