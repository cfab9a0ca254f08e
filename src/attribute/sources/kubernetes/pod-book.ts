import type { Observer } from '../../source.js';
import { textAt } from './object.js';
import { podSighting } from './pods.js';
import type { Taker } from './reflector.js';

/** Tells the observer of the pods of one node. */
export class PodBook implements Taker {
  readonly #observer: Observer;
  readonly #node: string;
  readonly #onListed: () => void;
  readonly uids = new Set<string>();

  constructor(observer: Observer, node: string, onListed: () => void) {
    this.#observer = observer;
    this.#node = node;
    this.#onListed = onListed;
  }

  put(uid: string, pod: unknown): void {
    const sighting = podSighting(pod);
    // Whoever answers without looking at the field selector tells of pods that are elsewhere.
    if (sighting === undefined || textAt(pod, 'spec', 'nodeName') !== this.#node) {
      this.drop(uid);
      return;
    }
    this.uids.add(uid);
    this.#observer.pod(sighting);
  }

  drop(uid: string): void {
    if (this.uids.delete(uid)) this.#observer.podGone(uid);
  }

  listed(): void {
    this.#onListed();
  }
}
