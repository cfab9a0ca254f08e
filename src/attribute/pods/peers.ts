import type { PeerSighting, SourceName } from '../source.js';

export type PeerFacts = Omit<PeerSighting, 'key'>;

/**
 * The other ends of pods' traffic, by address. Of a cluster they may be many, so this holds little more than what it was
 * told. What does not fit is not known.
 */
export class PeerIndex {
  readonly #max: number;
  readonly #onChange: (ip: string) => void;
  /** One, or in the rare case of a shared address all of them, the one that is named first. */
  readonly #byAddress = new Map<string, PeerFacts | PeerFacts[]>();
  readonly #bySource = new Map<SourceName, Map<string, PeerFacts>>();
  readonly #namespaces = new Map<string, string>();
  #count = 0;
  /** Those that did not tell all they know: there was no room. */
  readonly #cut = new Set<SourceName>();

  constructor(max: number, onChange: (ip: string) => void) {
    this.#max = max;
    this.#onChange = onChange;
  }

  /** Whether somebody tells of all services, so that what nobody tells of is none. */
  get areServicesKnown(): boolean {
    return !this.#cut.has('kubernetes') && (this.#bySource.get('kubernetes')?.size ?? 0) > 0;
  }

  find(ip: string): PeerFacts | undefined {
    const found = this.#byAddress.get(ip);
    return Array.isArray(found) ? found[0] : found;
  }

  learn(source: SourceName, { key, kind, ips, namespace, name, workload }: PeerSighting): void {
    // One shape for all, with no member more and no array that has room to grow: there may be 100,000.
    const facts: PeerFacts = { kind, ips: ips.slice(), namespace: this.#shared(namespace), name, workload };
    const told = this.#bySource.get(source) ?? new Map<string, PeerFacts>();
    const before = told.get(key);
    if (!before && this.#count >= this.#max) {
      this.#cut.add(source);
      return;
    }
    if (before) this.#remove(before);
    else this.#count++;
    told.set(key, facts);
    this.#bySource.set(source, told);
    for (const ip of facts.ips) this.#add(ip, facts);
  }

  forget(source: SourceName, key: string): void {
    const told = this.#bySource.get(source);
    const facts = told?.get(key);
    if (!facts) return;
    told?.delete(key);
    this.#count--;
    this.#remove(facts);
  }

  /** What is not known of the source's peers, in words. */
  lack(source: SourceName): string | undefined {
    if (!this.#cut.has(source)) return undefined;
    return `peers beyond ${this.#max.toLocaleString('en')} are not known`;
  }

  /** What else the source told of is gone. */
  keepOnly(source: SourceName, keys: ReadonlySet<string>): void {
    for (const key of [...(this.#bySource.get(source)?.keys() ?? [])]) {
      if (!keys.has(key)) this.forget(source, key);
    }
  }

  /** One string for the many that are equal. */
  #shared(namespace: string | undefined): string | undefined {
    if (namespace === undefined) return undefined;
    const known = this.#namespaces.get(namespace);
    if (known !== undefined) return known;
    if (this.#namespaces.size < MAX_NAMESPACES) this.#namespaces.set(namespace, namespace);
    return namespace;
  }

  #add(ip: string, facts: PeerFacts): void {
    const others = this.#byAddress.get(ip);
    if (others === undefined) {
      this.#byAddress.set(ip, facts);
    } else {
      const all = [...(Array.isArray(others) ? others : [others]), facts].slice(0, MAX_SHARED);
      this.#byAddress.set(
        ip,
        all.sort((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind)),
      );
    }
    this.#onChange(ip);
  }

  #remove(facts: PeerFacts): void {
    for (const ip of facts.ips) {
      const others = this.#byAddress.get(ip);
      const left = (Array.isArray(others) ? others : []).filter((other) => other !== facts);
      if (others !== facts && !Array.isArray(others)) continue;
      if (left.length === 0) this.#byAddress.delete(ip);
      else this.#byAddress.set(ip, left.length === 1 ? (left[0] as PeerFacts) : left);
      this.#onChange(ip);
    }
  }
}

/** An address that a pod shares with its node says nothing of the pod. */
const ORDER: readonly PeerFacts['kind'][] = ['service', 'cilium_host', 'node', 'pod'];
/** Pods with the node's network all have its address. */
const MAX_SHARED = 16;
const MAX_NAMESPACES = 1000;
