import type { PodMember } from '../../events.js';
import { type Interface, type PodSighting, SOURCE_NAMES, type SourceName } from '../source.js';
import { hashOfPod } from './hashed-names.js';

/** What the sources say of one pod, put together: of each member what the first of SOURCE_NAMES says that knows it. */
export type PodFacts = Omit<PodSighting, 'key'>;

export interface Sighted {
  readonly source: SourceName;
  readonly sighting: PodSighting;
}

/** One pod, seen by one or several sources. */
export class Pod {
  /** By source and the source's key. */
  readonly sightings = new Map<string, Sighted>();
  /**
   * What a source said of it that does not tell of it any more, while others do: sources learn of an end one after another.
   * Who it is stays, not what it had: its address may be another one's by now.
   */
  readonly #last = new Map<SourceName, Sighted>();
  facts: PodFacts = NO_FACTS;
  /** The first source that knows its name, else the first that knows it. */
  source: SourceName = 'kernel';
  /** Milliseconds since the epoch; undefined as long as it is there. */
  goneMs: number | undefined;
  /** Addresses, devices and the network namespace that somebody says it has; of a pod that is gone, what it had last. */
  held: PodKeys = NO_KEYS;
  /** What it is found by: what it holds, and of what nobody tells any more what it held last. */
  keys: PodKeys = NO_KEYS;
  /** Keys that it had before. */
  readonly past: PodKeys[] = [];
  /** What is said of it in events, by how it took part: forgotten when anything changes. */
  readonly told = new Map<string, PodMember>();

  /** Whether the address is, or was at last, one of its own. */
  hasAddress(ip: string | undefined): boolean {
    return ip !== undefined && this.keys.addresses.has(ip);
  }

  /** It has these keys now. Returns keys that are to be forgotten. */
  keep(keys: PodKeys): PodKeys | undefined {
    const old = this.keys;
    this.keys = keys;
    if (old === NO_KEYS || isEqual(old, keys)) return undefined;
    this.past.push(old);
    return this.past.length > MAX_PAST ? this.past.shift() : undefined;
  }

  see(key: string, sighted: Sighted): void {
    this.sightings.set(key, sighted);
    this.#last.delete(sighted.source);
  }

  lose(key: string): void {
    const lost = this.sightings.get(key);
    this.sightings.delete(key);
    if (lost && ![...this.sightings.values()].some(({ source }) => source === lost.source))
      this.#last.set(lost.source, { ...lost, sighting: withoutHoldings(lost.sighting) });
  }

  /** Puts together anew what the sources say; after it what they said. */
  merge(): void {
    const ordered = [...inOrder(this.sightings), ...inOrder(this.#last)];
    this.facts = merge(ordered.map(({ sighting }) => sighting));
    const named = ordered.find(({ sighting }) => sighting.name !== undefined) ?? ordered[0];
    this.source = named?.source ?? this.source;
    this.told.clear();
  }
}

/** What a pod can be found by. Hashes are what Calico and AWS name devices after. */
export const KEY_KINDS = ['addresses', 'devices', 'hashes', 'ifindexes', 'netns', 'cgroups'] as const;
export type KeyKind = (typeof KEY_KINDS)[number];
export type Key = string | number;
/** Devices and ifindexes are those in the host. */
export type PodKeys = Readonly<Record<KeyKind, ReadonlySet<Key>>>;

/** What a pod has of its own: with the node's network nothing but its cgroups. */
export function keysOf({ interfaces, hostNetwork, netns, namespace, name, cgroups }: PodFacts): PodKeys {
  const ids = new Set(cgroups?.map(({ id }) => id));
  if (hostNetwork) return { ...NO_KEYS, cgroups: ids };
  const hash = namespace !== undefined && name !== undefined ? hashOfPod(namespace, name) : [];
  return {
    addresses: new Set(interfaces.flatMap(({ ips }) => ips)),
    devices: new Set(interfaces.flatMap(({ hostDevice }) => hostDevice ?? [])),
    hashes: new Set(hash),
    ifindexes: new Set(interfaces.flatMap(({ hostIfindex }) => hostIfindex ?? [])),
    netns: new Set(netns === undefined ? [] : [netns]),
    cgroups: ids,
  };
}

function isEqual(a: PodKeys, b: PodKeys): boolean {
  return KEY_KINDS.every(
    (kind) => a[kind].size === b[kind].size && [...a[kind]].every((key) => b[kind].has(key)),
  );
}

function withoutHoldings(sighting: PodSighting): PodSighting {
  return { ...sighting, interfaces: [], netns: undefined, cgroups: undefined };
}

function inOrder(sightings: ReadonlyMap<string, Sighted>): Sighted[] {
  return [...sightings.values()].sort((a, b) => orderOf(a) - orderOf(b));
}

function orderOf({ source }: Sighted): number {
  return SOURCE_NAMES.indexOf(source);
}

function merge(sightings: readonly PodSighting[]): PodFacts {
  const first = <M extends keyof PodSighting>(member: M): PodSighting[M] | undefined =>
    sightings.find((sighting) => sighting[member] !== undefined)?.[member];
  const created = sightings.flatMap(({ createdMs }) => createdMs ?? []);
  return {
    namespace: first('namespace'),
    name: first('name'),
    uid: first('uid'),
    interfaces: mergeInterfaces(sightings),
    hostNetwork: sightings.some(({ hostNetwork }) => hostNetwork),
    netns: first('netns'),
    containers: mergeContainers(sightings),
    cgroups: first('cgroups'),
    workload: first('workload'),
    labels: first('labels'),
    cilium: first('cilium'),
    // A pod is there before its sandbox and its addresses are: the latest time is the closest.
    createdMs: created.length > 0 ? Math.max(...created) : undefined,
  };
}

/** Those that share an address or a device are one; of one interface the first source's words count. */
function mergeInterfaces(sightings: readonly PodSighting[]): Interface[] {
  const merged: Interface[] = [];
  for (const one of sightings.flatMap(({ interfaces }) => interfaces)) {
    const at = merged.findIndex((other) => isSame(one, other));
    const known = merged[at];
    if (known)
      merged[at] = { ...one, ...withoutUndefined(known), ips: [...new Set([...known.ips, ...one.ips])] };
    else merged.push(one);
  }
  return merged;
}

function isSame(a: Interface, b: Interface): boolean {
  if (a.ips.some((ip) => b.ips.includes(ip))) return true;
  if (a.hostIfindex !== undefined && b.hostIfindex !== undefined) return a.hostIfindex === b.hostIfindex;
  return a.hostDevice !== undefined && a.hostDevice === b.hostDevice;
}

function withoutUndefined(one: Interface): Interface {
  return Object.fromEntries(
    Object.entries(one).filter(([, value]) => value !== undefined),
  ) as unknown as Interface;
}

function mergeContainers(sightings: readonly PodSighting[]): PodSighting['containers'] {
  const byId = new Map<string, { id: string; name?: string | undefined }>();
  for (const one of sightings.flatMap(({ containers }) => containers ?? [])) {
    if (byId.get(one.id)?.name === undefined) byId.set(one.id, one);
  }
  return byId.size > 0 ? [...byId.values()] : undefined;
}

const NO_FACTS: PodFacts = { interfaces: [] };
export const NO_KEYS: PodKeys = {
  addresses: new Set(),
  devices: new Set(),
  hashes: new Set(),
  ifindexes: new Set(),
  netns: new Set(),
  cgroups: new Set(),
};
/** Of more nobody asks: a pod keeps its addresses and devices. */
const MAX_PAST = 4;
