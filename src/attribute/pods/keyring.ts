import { ANY_TIME, Claims, type Rivals } from './claims.js';
import { hashOfName } from './hashed-names.js';
import { KEY_KINDS, type Key, type KeyKind, keysOf, Pod, type PodKeys } from './pod.js';
import type { Versions } from './versions.js';

/** Finds pods by what a drop tells: addresses, devices, network namespaces, cgroups, each with the moment of the drop. */
export class Keyring {
  readonly #claims: Readonly<Record<KeyKind, Claims>>;
  readonly #versions: Versions;

  constructor(versions: Versions) {
    const onChange = (key: Key) => versions.bump(key);
    this.#versions = versions;
    this.#claims = {
      addresses: new Claims(onChange),
      devices: new Claims(onChange),
      hashes: new Claims(onChange),
      ifindexes: new Claims(onChange),
      netns: new Claims(onChange),
      cgroups: new Claims(onChange),
    };
  }

  /** A question begins that takes several answers: isLasting is about these. */
  ask(): void {
    for (const kind of KEY_KINDS) this.#claims[kind].isLasting = true;
  }

  /** Whether the answers hold for later moments too, as long as nothing is learned of what was asked for. */
  get isLasting(): boolean {
    return KEY_KINDS.every((kind) => this.#claims[kind].isLasting);
  }

  byAddress(ip: string, timeMs: number): Pod | Rivals | undefined {
    return this.#claims.addresses.find(ip, timeMs);
  }

  byNetns(inum: number, timeMs: number): Pod | undefined {
    return this.#only('netns', inum, timeMs);
  }

  byCgroup(id: number, timeMs: number): Pod | undefined {
    return this.#only('cgroups', id, timeMs);
  }

  /** Of a device in the host. Names and ifindexes are given again, so both must fit where both are known. */
  byDevice(name: string, ifindex: number, timeMs: number): Pod | undefined {
    const numbered = this.#only('ifindexes', ifindex, timeMs);
    if (numbered && fits(numbered.keys.devices, name)) return numbered;
    const named = this.#only('devices', name, timeMs);
    if (named && fits(named.keys.ifindexes, ifindex)) return named;
    const hash = hashOfName(name);
    return hash === undefined ? undefined : this.#only('hashes', hash, timeMs);
  }

  /** Follows what is known of a pod now. */
  update(pod: Pod, nowMs: number): void {
    const { createdMs } = pod.facts;
    const fromMs = createdMs === undefined ? ANY_TIME : createdMs - CLOCK_SLACK_MS;
    const { held: before } = pod;
    const after = keysOf(pod.facts);
    pod.held = after;
    for (const kind of KEY_KINDS) {
      for (const key of before[kind]) if (!after[kind].has(key)) this.#claims[kind].release(key, pod, nowMs);
      for (const key of after[kind]) this.#claims[kind].take(key, pod, fromMs, nowMs);
    }
    const forgotten = pod.keep(pod.facts.hostNetwork ? after : withLast(after, pod.keys));
    if (forgotten) this.#forgetKeys(pod, forgotten);
    this.#bump(pod);
  }

  /** It is gone; its keys stay known as having been its own. */
  end(pod: Pod, nowMs: number): void {
    for (const kind of KEY_KINDS)
      for (const key of pod.keys[kind]) this.#claims[kind].release(key, pod, nowMs);
  }

  forget(pod: Pod): void {
    for (const keys of [...pod.past, pod.keys]) this.#forgetKeys(pod, keys);
  }

  #only(kind: KeyKind, key: Key, timeMs: number): Pod | undefined {
    const found = this.#claims[kind].find(key, timeMs);
    return found instanceof Pod ? found : undefined;
  }

  /** What was said of it becomes something else, even where its keys stay. */
  #bump(pod: Pod): void {
    for (const kind of KEY_KINDS) for (const key of pod.keys[kind]) this.#versions.bump(key);
  }

  #forgetKeys(pod: Pod, keys: PodKeys): void {
    for (const kind of KEY_KINDS) {
      for (const key of keys[kind]) {
        if (keys === pod.keys || !pod.keys[kind].has(key)) this.#claims[kind].forget(key, pod);
      }
    }
  }
}

/** Of what nobody tells any more, what it had last: it is told from others by that until its end is known. */
function withLast(now: PodKeys, before: PodKeys): PodKeys {
  const kinds = KEY_KINDS.map((kind) => [kind, now[kind].size > 0 ? now[kind] : before[kind]]);
  return Object.fromEntries(kinds) as unknown as PodKeys;
}

/** Nothing known fits everything. */
function fits(known: ReadonlySet<Key>, value: Key): boolean {
  return known.size === 0 || known.has(value);
}

/** Of the API server's clock, which pods' times are from; sandboxes are up before their time says so. */
const CLOCK_SLACK_MS = 2000;
