import type { Observer, PeerSighting, PodSighting } from '../source.js';

/** Remembers what a source has told, so that only what has changed is told again. */
export class Ledger {
  #pods = new Map<string, string>();
  #peers = new Map<string, string>();
  #synced = false;

  /** These are all pods and peers that there are. Returns whether any of them is new, other than before, or gone. */
  tell(observer: Observer, pods: readonly PodSighting[], peers: readonly PeerSighting[] = []): boolean {
    const toldPods = new Map<string, string>();
    const toldPeers = new Map<string, string>();
    // Who is gone first: an address may be another pod's by now.
    const changes =
      eachGone(pods, this.#pods, (key) => observer.podGone(key)) +
      eachGone(peers, this.#peers, (key) => observer.peerGone(key)) +
      eachChanged(pods, this.#pods, toldPods, (pod) => observer.pod(pod)) +
      eachChanged(peers, this.#peers, toldPeers, (peer) => observer.peer(peer));
    this.#pods = toldPods;
    this.#peers = toldPeers;
    if (!this.#synced) observer.synced(new Set(toldPods.keys()), new Set(toldPeers.keys()));
    this.#synced = true;
    return changes > 0;
  }
}

interface Sighting {
  readonly key: string;
}

/** Returns how many. */
function eachGone(
  now: readonly Sighting[],
  before: ReadonlyMap<string, string>,
  tell: (key: string) => void,
): number {
  const keys = new Set(now.map(({ key }) => key));
  const gone = [...before.keys()].filter((key) => !keys.has(key));
  gone.forEach(tell);
  return gone.length;
}

/** Returns how many. */
function eachChanged<Kind extends Sighting>(
  sightings: readonly Kind[],
  before: ReadonlyMap<string, string>,
  told: Map<string, string>,
  tell: (sighting: Kind) => void,
): number {
  let changes = 0;
  for (const sighting of sightings) {
    const text = JSON.stringify(sighting);
    told.set(sighting.key, text);
    if (before.get(sighting.key) === text) continue;
    tell(sighting);
    changes++;
  }
  return changes;
}
