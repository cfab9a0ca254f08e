import type { Key, Pod, PodKeys } from '../attribute/pods/pod.js';
import type { PodIndex } from '../attribute/pods/pod-index.js';
import type { NativePodKeys } from '../native.js';
import { isNamed, type PodFilter, type PodName } from './pods.js';

export interface PodFollowerOptions {
  readonly filter: PodFilter;
  readonly index: PodIndex;
  /** Has the kernel compare with these from now on. */
  readonly apply: (keys: NativePodKeys) => void;
  /** For people: what is waited for, and what was found. */
  readonly tell: (text: string) => void;
}

/** Keeps the kernel's filter on pods equal to the pods that are there: they come, go, and get their addresses late. */
export class PodFollower {
  readonly #options: PodFollowerOptions;
  /** Names that were told as found, or as being several. */
  readonly #found = new Map<PodName, number>();
  #applied = '';
  #timer: NodeJS.Timeout | undefined;
  #patience: NodeJS.Timeout | undefined;

  constructor(options: PodFollowerOptions) {
    this.#options = options;
  }

  /** Before the hooks are attached: nothing passes that is not wanted. */
  start(): void {
    const { filter, index } = this.#options;
    if (filter.fixed) {
      this.#options.apply(filter.fixed);
      return;
    }
    index.onChange = () => this.#schedule();
    this.#update();
    this.#patience = setTimeout(() => this.#tellMissing(), PATIENCE_MS);
    this.#patience.unref();
  }

  /** The sources have had their time. */
  #tellMissing(): void {
    const { filter, tell } = this.#options;
    const missing = filter.names.filter((name) => !this.#found.has(name));
    for (const name of missing) tell(`waiting for pod ${pathOf(name)}: no source knows it yet`);
    if (filter.names.length === 0 && this.#applied === EMPTY)
      tell('waiting for pods: none that is known matches');
  }

  stop(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#patience);
    this.#timer = undefined;
    this.#options.index.onChange = () => undefined;
  }

  /** Pods come in crowds, and each change takes some system calls. */
  #schedule(): void {
    if (this.#timer) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#update();
    }, GATHER_MS);
    this.#timer.unref();
  }

  #update(): void {
    const keys = this.#keys();
    const text = JSON.stringify(keys);
    if (text !== this.#applied) this.#options.apply(keys);
    this.#applied = text;
    this.#tellFound();
  }

  /** What pods had last too, also those that are gone: packets to them are still on their way. But not what is another pod's now. */
  #keys(): NativePodKeys {
    const { filter, index } = this.#options;
    const wanted = new Keys();
    const others = new Keys();
    for (const { facts, held } of index.pods) (filter.wants(facts) ? wanted : others).add(held);
    for (const { facts, keys } of [...index.pods, ...index.gone])
      if (filter.wants(facts)) wanted.add(keys, others);
    return wanted.cut();
  }

  #tellFound(): void {
    const { filter, index, tell } = this.#options;
    for (const name of filter.names) {
      const pods = [...index.pods].filter((pod) => isNamed(pod.facts, name));
      if (pods.length === 0 || this.#found.get(name) === pods.length) continue;
      this.#found.set(name, pods.length);
      if (pods.length > 1)
        tell(`${name.name} is the name of ${pods.length} pods, and all are traced: ${pathsOf(pods)}`);
      else if (pods[0]?.facts.hostNetwork)
        tell(`pod ${pathsOf(pods)} has the network of the node: traced are packets of its sockets`);
      else tell(`tracing pod ${pathsOf(pods)}`);
    }
  }
}

class Keys {
  readonly #all = {
    addresses: new Set<Key>(),
    devices: new Set<Key>(),
    netns: new Set<Key>(),
    cgroups: new Set<Key>(),
  };

  add(keys: PodKeys, others = NONE): void {
    for (const kind of KINDS)
      for (const key of keys[kind]) if (!others.has(kind, key)) this.#all[kind].add(key);
  }

  has(kind: Kind, key: Key): boolean {
    return this.#all[kind].has(key);
  }

  /** As many as the kernel's map holds. */
  cut(): NativePodKeys {
    const { addresses, devices, netns, cgroups } = this.#all;
    return {
      addresses: ([...addresses] as string[]).slice(0, MAX_KEYS / 3),
      devices: ([...devices] as string[]).filter(isDeviceName).slice(0, MAX_KEYS / 6),
      netns: ([...netns] as number[]).slice(0, MAX_KEYS / 6),
      cgroups: ([...cgroups] as number[]).slice(0, MAX_KEYS / 3),
    };
  }
}

/** As long as the kernel takes them: a source may say anything. */
function isDeviceName(name: string): boolean {
  return name !== '' && Buffer.byteLength(name) < 16 && !name.includes('\0');
}

function pathOf({ namespace, name }: PodName): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

function pathsOf(pods: readonly Pod[]): string {
  return pods.map(({ facts }) => `${facts.namespace}/${facts.name}`).join(', ');
}

const KINDS = ['addresses', 'devices', 'netns', 'cgroups'] as const;
type Kind = (typeof KINDS)[number];
const NONE = new Keys();
const GATHER_MS = 20;
const PATIENCE_MS = 1500;
/** RPF_MAX_POD_KEYS, native/include/rpf_pods.h */
const MAX_KEYS = 12_288;
const EMPTY = JSON.stringify(new Keys().cut());
