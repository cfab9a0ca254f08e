import type { Observer, PeerSighting } from '../../source.js';
import { networksOf } from './object.js';
import type { PeerBook } from './peer-book.js';
import type { NodeFacts } from './peers.js';

/** Nodes as Node and as CiliumNode: the own one, and the others as peers. */
export class NodeBook {
  readonly #observer: Observer;
  readonly #peers: PeerBook;
  readonly #ownName: string;
  readonly #addresses = new Map<string, readonly string[]>();
  readonly #counts = new Map<string, number>();
  /** What Node and CiliumNode say of the own node, by UID. */
  readonly #own = new Map<string, NodeFacts>();
  /** Whether all nodes were told, so that an address that is none of theirs is none of a node. */
  isComplete = false;

  constructor(observer: Observer, peers: PeerBook, ownName: string) {
    this.#observer = observer;
    this.#peers = peers;
    this.#ownName = ownName;
  }

  /** Undefined as long as the nodes are not known. */
  readonly isNodeAddress = (ip: string): boolean | undefined =>
    this.isComplete ? this.#counts.has(ip) : undefined;

  put(uid: string, facts: NodeFacts | undefined): void {
    if (facts === undefined) {
      this.drop(uid);
      return;
    }
    this.#count(uid, [...facts.ips, ...facts.hostIps]);
    const isOwn = facts.name === this.#ownName;
    this.#peers.put(uid, isOwn ? [] : peersOf(facts));
    if (!isOwn) return;
    this.#own.set(uid, facts);
    this.#tellOwn();
  }

  drop(uid: string): void {
    this.#count(uid, []);
    this.#peers.drop(uid);
    this.#own.delete(uid);
  }

  #count(uid: string, ips: readonly string[]): void {
    for (const ip of this.#addresses.get(uid) ?? []) {
      const left = (this.#counts.get(ip) ?? 1) - 1;
      if (left > 0) this.#counts.set(ip, left);
      else this.#counts.delete(ip);
    }
    for (const ip of ips) this.#counts.set(ip, (this.#counts.get(ip) ?? 0) + 1);
    if (ips.length > 0) this.#addresses.set(uid, ips);
    else this.#addresses.delete(uid);
  }

  #tellOwn(): void {
    const all = [...this.#own.values()];
    const hostIps = [...new Set(all.flatMap((facts) => facts.hostIps))];
    const podNetworks = [...new Set(networksOf(all.flatMap((facts) => facts.podNetworks)))];
    this.#observer.node({
      name: this.#ownName,
      ips: [...new Set(all.flatMap((facts) => facts.ips))],
      hostDevice: hostIps.length > 0 ? { name: 'cilium_host', ips: hostIps } : undefined,
      podNetworks: podNetworks.length > 0 ? podNetworks : undefined,
    });
  }
}

function peersOf({ name, ips, hostIps }: NodeFacts): PeerSighting[] {
  const peers: PeerSighting[] = [
    { key: `node/${name}`, kind: 'node', ips, name },
    { key: `cilium_host/${name}`, kind: 'cilium_host', ips: hostIps, name },
  ];
  return peers.filter((peer) => peer.ips.length > 0);
}
