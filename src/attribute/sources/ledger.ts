import type { Observer, PeerSighting, PodSighting } from '../source.js';
import { Slices } from './slices.js';

/** Remembers what a source has told, so that only what has changed is told again. */
export class Ledger {
  readonly #pods = new Map<string, string>();
  readonly #peers = new Map<string, string>();
  /** As they were told last. */
  #lastPeers: readonly PeerSighting[] = [];
  #synced = false;

  /**
   * These are all pods and peers that there are. Resolves to whether any of them is new, other than before, or gone. Many
   * take a while; never called twice at the same time.
   */
  async tell(
    observer: Observer,
    signal: AbortSignal,
    pods: readonly PodSighting[],
    peers: readonly PeerSighting[] = [],
  ): Promise<boolean> {
    const slices = new Slices(signal);
    const arePeersNew = peers !== this.#lastPeers;
    // Who is gone first: an address may be another pod's by now.
    let changes = await eachGone(pods, this.#pods, (key) => observer.podGone(key), slices);
    if (arePeersNew) changes += await eachGone(peers, this.#peers, (key) => observer.peerGone(key), slices);
    changes += await eachChanged(pods, this.#pods, (pod) => observer.pod(pod), slices);
    if (arePeersNew) changes += await eachChanged(peers, this.#peers, (peer) => observer.peer(peer), slices);
    this.#lastPeers = peers;
    if (!this.#synced) observer.synced(new Set(this.#pods.keys()), new Set(this.#peers.keys()));
    this.#synced = true;
    return changes > 0;
  }
}

interface Sighting {
  readonly key: string;
}

/** Returns how many. */
async function eachGone(
  now: readonly Sighting[],
  told: Map<string, string>,
  tell: (key: string) => void,
  slices: Slices,
): Promise<number> {
  const keys = new Set(now.map(({ key }) => key));
  const gone = [...told.keys()].filter((key) => !keys.has(key));
  for (const key of gone) {
    told.delete(key);
    tell(key);
    const rest = slices.rest();
    if (rest) await rest;
  }
  return gone.length;
}

/** Returns how many. */
async function eachChanged<Kind extends Sighting>(
  sightings: readonly Kind[],
  told: Map<string, string>,
  tell: (sighting: Kind) => void,
  slices: Slices,
): Promise<number> {
  let changes = 0;
  for (const sighting of sightings) {
    const text = JSON.stringify(sighting);
    if (told.get(sighting.key) !== text) {
      told.set(sighting.key, text);
      tell(sighting);
      changes++;
    }
    const rest = slices.rest();
    if (rest) await rest;
  }
  return changes;
}
