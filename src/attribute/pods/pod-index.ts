import type {
  NodeSighting,
  Observer,
  PeerSighting,
  PodSighting,
  SourceName,
  SourceState,
} from '../source.js';
import { Keyring } from './keyring.js';
import { normalAddress } from './normal-address.js';
import { PeerIndex } from './peers.js';
import type { Pod } from './pod.js';
import { Registry } from './registry.js';
import { Versions } from './versions.js';

export interface PodIndexOptions {
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  /** Pods of one source. */
  readonly maxPods?: number;
  readonly maxPeers?: number;
}

/**
 * What all sources know of pods, peers and the node, found by what a drop tells of itself. Answers come from memory at once.
 * Pods that are gone stay known for a minute; all is bounded.
 */
export class PodIndex {
  readonly versions = new Versions();
  /** A pod has come, changed, gone or is forgotten. */
  onChange: () => void = () => undefined;
  readonly keys = new Keyring(this.versions);
  readonly peers: PeerIndex;
  readonly #now: () => number;
  readonly #registry: Registry;
  readonly #present = new Set<Pod>();
  /** The one that went first first. */
  readonly #gone = new Set<Pod>();
  readonly #nodes = new Map<SourceName, NodeSighting>();
  #node: NodeSighting = {};
  #timer: NodeJS.Timeout | undefined;

  constructor({ now, maxPods, maxPeers }: PodIndexOptions = {}) {
    this.#now = now ?? Date.now;
    this.peers = new PeerIndex(maxPeers ?? MAX_PEERS, (ip) => this.versions.bump(ip));
    this.#registry = new Registry({
      maxPods: maxPods ?? MAX_PODS,
      onChange: (pod) => this.#renew(pod),
      onEnd: (pod) => this.#end(pod),
      onAbsorb: (pod) => this.#drop(pod),
    });
  }

  /** Another number when an answer may be another one. */
  get epoch(): number {
    return this.versions.epoch;
  }

  /** Whether no pod is known, gone ones included. */
  get isEmpty(): boolean {
    return this.#present.size === 0 && this.#gone.size === 0;
  }

  /** Those that are there. */
  get pods(): ReadonlySet<Pod> {
    return this.#present;
  }

  /** Those that are there no more, for a minute. */
  get gone(): ReadonlySet<Pod> {
    return this.#gone;
  }

  /** What the sources say of the node, put together. */
  get node(): NodeSighting {
    return this.#node;
  }

  /** What a source says of itself, and what of its answers found no room here. */
  judge(state: SourceState): SourceState {
    const lacks = [state.why, this.#registry.lack(state.name), this.peers.lack(state.name)];
    const why = lacks.filter((lack) => lack !== undefined).join('; ');
    return { ...state, why: why === '' ? undefined : why };
  }

  /** Takes what one source finds. */
  observer(source: SourceName): Observer {
    return {
      pod: (sighting) => this.#registry.see(source, normalised(sighting)),
      podGone: (key) => this.#registry.lose(source, key),
      peer: (sighting) => this.peers.learn(source, normalisedPeer(sighting)),
      peerGone: (key) => this.peers.forget(source, key),
      node: (sighting) => this.#learnNode(source, sighting),
      synced: (pods, peers) => {
        this.#registry.keepOnly(source, pods);
        this.peers.keepOnly(source, peers);
        this.versions.bumpAll();
      },
    };
  }

  /** Ends its timer. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #learnNode(source: SourceName, sighting: NodeSighting): void {
    this.#nodes.set(source, sighting);
    const all = [...this.#nodes.values()];
    this.#node = {
      ...Object.assign({}, ...all.map(withoutUndefined).reverse()),
      ips: all.flatMap(({ ips }) => ips?.flatMap((ip) => normalAddress(ip) ?? []) ?? []),
      podNetworks: all.flatMap(({ podNetworks }) => podNetworks ?? []),
    };
    this.versions.bumpAll();
  }

  #renew(pod: Pod): void {
    pod.goneMs = undefined;
    this.#gone.delete(pod);
    this.#present.add(pod);
    this.keys.update(pod, this.#now());
    this.onChange();
  }

  #end(pod: Pod): void {
    pod.goneMs = this.#now();
    this.#present.delete(pod);
    this.#gone.add(pod);
    this.keys.end(pod, pod.goneMs);
    this.onChange();
    if (this.#gone.size > MAX_GONE) this.#forgetOldest();
    this.#schedule();
  }

  #forgetOldest(): void {
    const [oldest] = this.#gone;
    if (oldest) this.#forget(oldest);
  }

  #forget(pod: Pod): void {
    this.#gone.delete(pod);
    this.#registry.forget(pod);
    this.keys.forget(pod);
    this.onChange();
  }

  /** Another pod has all that it had. */
  #drop(pod: Pod): void {
    this.#present.delete(pod);
    this.keys.forget(pod);
    this.onChange();
  }

  #schedule(): void {
    if (this.#timer || this.#gone.size === 0) return;
    this.#timer = setTimeout(() => this.#sweep(), SWEEP_MS);
    this.#timer.unref();
  }

  #sweep(): void {
    this.#timer = undefined;
    const latest = this.#now() - GRACE_MS;
    for (const pod of this.#gone) {
      if ((pod.goneMs as number) > latest) break;
      this.#forget(pod);
    }
    this.#schedule();
  }
}

function normalised(sighting: PodSighting): PodSighting {
  const interfaces = sighting.interfaces.map((one) => ({ ...one, ips: normalAddresses(one.ips) }));
  return { ...sighting, interfaces };
}

function normalisedPeer(sighting: PeerSighting): PeerSighting {
  return { ...sighting, ips: normalAddresses(sighting.ips) };
}

function normalAddresses(ips: readonly string[]): string[] {
  return ips.flatMap((ip) => normalAddress(ip) ?? []);
}

function withoutUndefined(sighting: NodeSighting): NodeSighting {
  return Object.fromEntries(Object.entries(sighting).filter(([, value]) => value !== undefined));
}

/** More than a node may have (110 by default, 250 to 500 in large ones). */
const MAX_PODS = 1000;
const MAX_PEERS = 100_000;
const GRACE_MS = 60_000;
const SWEEP_MS = 5000;
/** A churn of 30 pods a second for the time of grace. */
const MAX_GONE = 2000;
