import type { PodSighting, SourceName } from '../source.js';
import { isOf } from './identity.js';
import { Pod, type PodFacts } from './pod.js';
import { Room } from './room.js';

export interface RegistryOptions {
  /** Of one source. */
  readonly maxPods: number;
  /** Something else is known of it; a pod that is new, or back. */
  readonly onChange: (pod: Pod) => void;
  /** No source tells of it any more. */
  readonly onEnd: (pod: Pod) => void;
  /** It turned out to be another one, which has all its sightings now. */
  readonly onAbsorb: (pod: Pod) => void;
}

/** Finds out which sightings of which sources are of one and the same pod. */
export class Registry {
  readonly #options: RegistryOptions;
  /** By source and key. */
  readonly #sighted = new Map<string, Pod>();
  readonly #room: Room;
  readonly #byUid = new Map<string, Pod>();
  readonly #byContainer = new Map<string, Pod>();
  readonly #byName = new Map<string, Set<Pod>>();

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.#room = new Room(options.maxPods);
  }

  /** Pods whose name it is now, or was until a short time ago. */
  named(namespace: string | undefined, name: string): Iterable<Pod> {
    return this.#byName.get(`${namespace}/${name}`) ?? [];
  }

  see(source: SourceName, sighting: PodSighting): void {
    const key = keyOf(source, sighting.key);
    const before = this.#sighted.get(key);
    if (before === undefined && !this.#room.take(source, sighting)) return;
    const known = before && isOf(sighting, before) ? before : undefined;
    const pod = this.#find(sighting) ?? known ?? new Pod();
    if (before && before !== pod) this.#detach(before, key);
    this.#sighted.set(key, pod);
    pod.see(key, { source, sighting });
    this.#renew(pod);
    this.#absorb(pod, sighting);
  }

  lose(source: SourceName, sourceKey: string): void {
    const key = keyOf(source, sourceKey);
    const pod = this.#sighted.get(key);
    if (pod === undefined) {
      this.#room.forget(source, sourceKey);
      return;
    }
    this.#detach(pod, key);
    const next = this.#room.free(source);
    if (next) this.see(source, next);
  }

  /** What is not known of the source's pods, in words. */
  lack(source: SourceName): string | undefined {
    return this.#room.lack(source);
  }

  /** What else the source told of is gone. */
  keepOnly(source: SourceName, keys: ReadonlySet<string>): void {
    this.#room.keepOnly(source, keys);
    const prefix = keyOf(source, '');
    for (const key of [...this.#sighted.keys()]) {
      const own = key.startsWith(prefix) ? key.slice(prefix.length) : undefined;
      if (own !== undefined && !keys.has(own)) this.lose(source, own);
    }
  }

  /** Nobody asks for it any more. */
  forget(pod: Pod): void {
    this.#unfile(pod, pod.facts);
  }

  /** By what is the pod's alone first, by its name where nothing speaks against it. */
  #find(sighting: PodSighting): Pod | undefined {
    for (const pod of this.#candidates(sighting)) if (isOf(sighting, pod)) return pod;
    return undefined;
  }

  *#candidates({ uid, containers, namespace, name }: PodSighting): Generator<Pod> {
    const same = uid === undefined ? undefined : this.#byUid.get(uid);
    if (same) yield same;
    for (const { id } of containers ?? []) {
      const pod = this.#byContainer.get(id);
      if (pod) yield pod;
    }
    if (name !== undefined) yield* this.named(namespace, name);
  }

  /** Sightings that were taken for other pods and turn out to be of this one. */
  #absorb(pod: Pod, sighting: PodSighting): void {
    for (const other of new Set(this.#candidates(sighting))) {
      if (other === pod || other.goneMs !== undefined) continue;
      if (![...other.sightings.values()].every((one) => isOf(one.sighting, pod))) continue;
      for (const [key, sighted] of other.sightings) {
        pod.see(key, sighted);
        this.#sighted.set(key, pod);
      }
      other.sightings.clear();
      this.#unfile(other, other.facts);
      this.#options.onAbsorb(other);
      this.#renew(pod);
    }
  }

  #detach(pod: Pod, key: string): void {
    this.#sighted.delete(key);
    pod.lose(key);
    if (pod.sightings.size > 0) this.#renew(pod);
    else this.#options.onEnd(pod);
  }

  #renew(pod: Pod): void {
    const old = pod.facts;
    pod.merge();
    if (old.uid !== pod.facts.uid || old.name !== pod.facts.name || old.containers !== pod.facts.containers)
      this.#unfile(pod, old);
    this.#file(pod, pod.facts);
    this.#options.onChange(pod);
  }

  #file(pod: Pod, { uid, containers, namespace, name }: PodFacts): void {
    if (uid !== undefined) this.#byUid.set(uid, pod);
    for (const { id } of containers ?? []) this.#byContainer.set(id, pod);
    if (name === undefined) return;
    const path = `${namespace}/${name}`;
    this.#byName.set(path, (this.#byName.get(path) ?? new Set()).add(pod));
  }

  #unfile(pod: Pod, { uid, containers, namespace, name }: PodFacts): void {
    if (uid !== undefined && this.#byUid.get(uid) === pod) this.#byUid.delete(uid);
    for (const { id } of containers ?? []) {
      if (this.#byContainer.get(id) === pod) this.#byContainer.delete(id);
    }
    const path = `${namespace}/${name}`;
    const named = this.#byName.get(path);
    named?.delete(pod);
    if (named?.size === 0) this.#byName.delete(path);
  }
}

function keyOf(source: SourceName, key: string): string {
  return `${source} ${key}`;
}
