import type { Hint, IncidentEvent, PodMember } from '../events.js';
import { type Ailment, afterwards } from '../explain/fix.js';
import type { RouteChange } from '../routes/change.js';
import type { Change } from '../settings/change.js';
import { parseValue } from '../settings/value.js';
import type { Condition, Refusal } from './culprit.js';
import type { RouteSuspect } from './route-culprit.js';

export type Cause =
  | {
      readonly kind: 'sysctl_change';
      readonly change: Change;
      /** The first one that made the kernel refuse, which may have been taken back when the first drop came. */
      readonly begunBy: Change;
    }
  | { readonly kind: 'route_change'; readonly suspect: RouteSuspect }
  | { readonly kind: 'unknown'; readonly why: string; readonly hints?: Hint[] };

export type Closing =
  | { readonly kind: 'sysctl_change'; readonly change: Change }
  | { readonly kind: 'route_change'; readonly route: RouteChange }
  | { readonly kind: 'drops_stopped'; readonly seconds: number }
  | { readonly kind: 'crowded_out' | 'namespace_gone' };

/** What a flow brings along that comes to belong to an incident. */
export interface Entry {
  /** Its source address; asked for only while there is room for one more. */
  readonly source: () => string | undefined;
  /** What a cure for it has to meet, at the time of a drop. */
  readonly ailment?: Ailment | undefined;
  /** CLOCK_MONOTONIC */
  readonly dropNs: bigint;
  /** That lost the packets. */
  readonly pod?: PodName | undefined;
}

export type PodName = Pick<PodMember, 'namespace' | 'name'>;

/** Drops of one network namespace that have one cause. Counts them; knows nothing of events. */
export class Incident {
  readonly id: string;
  readonly netns: number;
  cause: Cause;
  /** The drop that it was opened for. */
  readonly first: Refusal;
  readonly conditions: readonly Condition[];
  readonly firstNs: bigint;
  drops = 0;
  state: IncidentEvent['state'] = 'open';
  closing: Closing | undefined;
  /** The change that put an end to it, as soon as it is known; drops that were counted before still come in. */
  setBack: Change | undefined;
  /** The change of routes that did, instead. */
  movedBack: RouteChange | undefined;
  /** CLOCK_MONOTONIC, when something of it was told last. */
  toldNs = 0n;
  /** Drops that had been told then. */
  told = 0;
  isTold = false;
  /** Its cause has been found since. */
  isExplained = false;
  /** When drops were taken last, by our own clock. */
  activeNs: bigint;
  readonly devices = new Set<string>();
  /** Of these, those that the settings still refuse packets on. */
  readonly #refused = new Set<string>();
  readonly sources = new Set<string>();
  /** "namespace/name" */
  readonly pods = new Set<string>();
  readonly reasons = new Set<string>();
  /** By device and source: where the way back is not known all sources of a device share one. */
  readonly #ailments = new Map<string, { ailment: Ailment; timeNs: bigint }>();
  #lastLow = 0;
  #lastHigh = 0;

  constructor(id: string, first: Refusal, conditions: readonly Condition[], cause: Cause, timeNs: bigint) {
    this.id = id;
    this.netns = first.netns;
    this.first = first;
    this.conditions = conditions;
    this.cause = cause;
    this.firstNs = timeNs;
    this.activeNs = timeNs;
  }

  get isOpen(): boolean {
    return this.closing === undefined;
  }

  /** What put an end to it: it is over when no more drops come. */
  get end(): Closing | undefined {
    if (this.setBack) return { kind: 'sysctl_change', change: this.setBack };
    return this.movedBack && { kind: 'route_change', route: this.movedBack };
  }

  /** Whether it has drops like this one. */
  holds({ device, reason, ailment }: Refusal): boolean {
    const isKnown = ailment === undefined || this.sources.has(ailment.src);
    return this.devices.has(device) && this.reasons.has(reason) && isKnown;
  }

  /** CLOCK_MONOTONIC of the last drop. */
  get lastNs(): bigint {
    return (BigInt(this.#lastHigh) << 32n) | BigInt(this.#lastLow);
  }

  /** A flow belongs to it from now on. */
  enter(refusal: Refusal, { source, ailment, pod, dropNs }: Entry): void {
    if (this.devices.size < MAX_NAMES) {
      this.devices.add(refusal.device);
      if (this.setBack === undefined) this.#refused.add(refusal.device);
    }
    this.reasons.add(refusal.reason);
    const address = this.sources.size < MAX_NAMES ? source() : undefined;
    if (address !== undefined) this.sources.add(address);
    this.meetPod(pod);
    if (ailment !== undefined) this.#learn(ailment, dropNs);
  }

  /** Packets of this pod were lost. One that has no name yet is not counted: it may be known under it later. */
  meetPod(pod: PodName | undefined): void {
    if (pod?.namespace === undefined || pod.name === undefined || this.pods.size === MAX_NAMES) return;
    this.pods.add(`${pod.namespace}/${pod.name}`);
  }

  /** What a cure has to meet, with the settings as they are by now. */
  get ailments(): readonly Ailment[] {
    return [...this.#ailments.values()].map(({ ailment }) => ailment);
  }

  /** A setting has another value since. What a drop found is not doubted by what was known before it. */
  follow({ device, setting, event, timeNs, effects }: Change): void {
    const value = parseValue(event.new);
    if (value === undefined || event.outcome !== 'changed') return;
    for (const known of this.#ailments.values()) {
      const isTakenOver = device === 'default' && effects.has(known.ailment.device);
      const scope = isTakenOver ? known.ailment.device : device;
      if (timeNs > known.timeNs) known.ailment = afterwards(known.ailment, [{ scope, setting, value }]);
    }
  }

  /** The condition that its cause made come true. */
  get condition(): Condition {
    const known = this.cause.kind === 'sysctl_change' ? this.cause.change.setting : undefined;
    return this.conditions.find(({ setting }) => setting === known) ?? (this.conditions[0] as Condition);
  }

  /** Returns whether a change has let the last of the devices that were hit go; `isThere` tells whether one still exists. */
  isEndedBy({ setting, effects }: Change, isThere: (device: string) => boolean): boolean {
    const condition = this.conditions.find((one) => one.setting === setting);
    if (condition === undefined || this.setBack) return false;
    let freed = false;
    for (const [device, effect] of effects) {
      if (!this.devices.has(device)) continue;
      if (condition.refuses(effect.new)) this.#refused.add(device);
      else if (this.#refused.delete(device)) freed = true;
    }
    return freed && ![...this.#refused].some(isThere);
  }

  /** Drops of one of its flows. In the hot path: no objects, no bigint. */
  take(count: number, timeLow: number, timeHigh: number): void {
    this.drops += count;
    if (timeHigh > this.#lastHigh || (timeHigh === this.#lastHigh && timeLow > this.#lastLow)) {
      this.#lastLow = timeLow;
      this.#lastHigh = timeHigh;
    }
  }

  #learn(ailment: Ailment, timeNs: bigint): void {
    const { device, src, route } = ailment;
    const key = route.kind === 'unknown' ? device : `${device} ${src}`;
    if (this.#ailments.size < MAX_NAMES || this.#ailments.has(key))
      this.#ailments.set(key, { ailment, timeNs });
  }
}

/** Devices, pods and sources that are told apart. */
const MAX_NAMES = 256;
