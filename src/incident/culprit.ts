import type { RpfMode } from '../events.js';
import type { Ailment } from '../explain/fix.js';
import type { Change } from '../settings/change.js';
import type { Settings } from '../settings/settings.js';

/** What decides whether a drop happens, as far as settings have a say. */
export interface Refusal {
  readonly netns: number;
  readonly device: string;
  readonly reason: string;
  readonly mode: RpfMode | undefined;
  readonly verdict?: string | undefined;
  /** What the kernel looked at; undefined where it is not known in detail. */
  readonly ailment?: Ailment | undefined;
}

/** A setting, and with which effective values the kernel refuses. */
export interface Condition {
  readonly setting: string;
  readonly refuses: (effective: number) => boolean;
}

/** Which of the kernel's rules about sources refused: each has settings of its own. */
export type Rule = 'filter' | 'local' | 'localnet';

/**
 * By the kernel's reason; where it has none of its own (an ARP request, kernels before v6.13), by what was proven of the
 * refusal. Undefined: no setting decides it.
 */
export function ruleOf({ reason, verdict, ailment }: Omit<Refusal, 'netns' | 'device'>): Rule | undefined {
  if (reason === 'IP_RPFILTER' || ailment?.isByFilter) return 'filter';
  if (reason === 'IP_LOCAL_SOURCE' || ailment?.verdict === 'local_source') return 'local';
  return reason === 'IP_LOCALNET' || verdict === 'loopback_source' ? 'localnet' : undefined;
}

/**
 * The settings without which this drop would not be; undefined for drops that no setting decides. See fib_validate_source()
 * and ip_route_input_slow(), v6.18.
 */
export function conditionsOf(refusal: Omit<Refusal, 'netns' | 'device'>): Condition[] | undefined {
  switch (ruleOf(refusal)) {
    case 'filter':
      return [
        { setting: 'rp_filter', refuses: isStrictOnly(refusal) ? (value) => value === 1 : isOn },
        { setting: 'forwarding', refuses: isOn },
      ];
    case 'local':
      return [
        { setting: 'accept_local', refuses: isOff },
        { setting: 'src_valid_mark', refuses: isOn },
      ];
    case 'localnet':
      return [{ setting: 'route_localnet', refuses: isOff }];
    case undefined:
      return undefined;
  }
}

function isOn(value: number): boolean {
  return value !== 0;
}

function isOff(value: number): boolean {
  return value === 0;
}

/** What an ARP request was refused for is not in its verdict. */
function isStrictOnly({ mode, verdict, ailment }: Omit<Refusal, 'netns' | 'device'>): boolean {
  const known = ailment?.verdict ?? verdict;
  return known === undefined ? isStrict(mode) : known === 'strict_mismatch';
}

/** Where the device has an address, mode 1 refuses what loose mode would let in. */
function isStrict(mode: RpfMode | undefined): boolean {
  return mode !== undefined && !mode.unnumbered && mode.effective === 1;
}

/**
 * The changes of each network namespace, newest last. Bounded: the oldest are forgotten, those first that only made another
 * value of one that refused already.
 */
export class History {
  readonly #changes = new Map<number, Change[]>();
  /** Namespaces of which changes were forgotten. */
  readonly #incomplete = new Set<number>();

  add(change: Change): void {
    const { netns } = change;
    const changes = this.#changes.get(netns) ?? [];
    this.#changes.delete(netns);
    if (this.#changes.size === MAX_NETNS) this.forget(this.#changes.keys().next().value as number);
    this.#changes.set(netns, changes);
    const after = changes.findLastIndex(({ timeNs }) => timeNs <= change.timeNs);
    changes.splice(after + 1, 0, change);
    if (changes.length <= MAX_CHANGES) return;
    this.#incomplete.add(netns);
    changes.splice(Math.max(changes.findIndex(isOfNoConsequence), 0), 1);
  }

  /** Whether changes of it were forgotten. */
  isIncomplete(netns: number): boolean {
    return this.#incomplete.has(netns);
  }

  hasChanged(netns: number, device: string, setting: string): boolean {
    return this.#of(netns).some((change) => change.device === device && change.setting === setting);
  }

  forget(netns: number): void {
    this.#changes.delete(netns);
    this.#incomplete.delete(netns);
  }

  /**
   * The last change before a drop that let one of its conditions come true for its device: with all of the others true
   * already, this is the one that made the kernel refuse.
   */
  culpritOf(
    refusal: Refusal,
    conditions: readonly Condition[],
    dropNs: bigint,
    settings: Pick<Settings, 'deviceSince'>,
  ): Change | undefined {
    const since = settings.deviceSince(refusal.netns, refusal.device);
    for (const change of this.#of(refusal.netns).toReversed()) {
      const condition = conditions.find(({ setting }) => setting === change.setting);
      if (condition === undefined || change.notBeforeNs > dropNs) continue;
      if (makesTrue(change, condition, refusal.device, since) || provedBy(refusal, change, condition))
        return change;
      // Whoever it was before has nothing to do with it: the kernel let the source in again.
      if (makesFalse(change, condition, refusal.device) && dropNs - change.timeNs > LATE_NS) return undefined;
    }
    return undefined;
  }

  /**
   * What a change set may have been taken back by the time of a drop, while a later one keeps the kernel refusing: this one.
   * Who applies many files sets a device by one and takes it back by the next, and all of them by a third.
   */
  successorOf(change: Change, refusal: Refusal, condition: Condition, dropNs: bigint): Change | undefined {
    const { mode, device } = refusal;
    const isAll = change.device === 'all';
    if (mode === undefined || (!isAll && change.device !== device)) return undefined;
    if (condition.refuses(isAll ? mode.all : mode.device)) return undefined;
    return this.besides(change, device, condition, dropNs);
  }

  /** The change made with another that keeps the kernel refusing what comes by a device when that one is taken back. */
  besides(change: Change, device: string, condition: Condition, untilNs: bigint): Change | undefined {
    if (condition.setting !== 'rp_filter') return undefined;
    const holder = change.device === 'all' ? device : 'all';
    const last = this.#of(change.netns).findLast(
      (other) =>
        other.device === holder && other.setting === condition.setting && other.notBeforeNs <= untilNs,
    );
    return last && switchesOn(last, condition) && isNear(last, change) ? last : undefined;
  }

  /** Other changes within a second of one that set a value which refuses, too, for one of these devices, and were not taken back. */
  around(change: Change, condition: Condition, devices: ReadonlySet<string>): Change[] {
    const near = this.#of(change.netns).filter(
      (other) => other.setting === condition.setting && isNear(other, change),
    );
    const others = near.filter((other, index) => {
      const isFor =
        other.device === 'all' ||
        devices.has(other.device) ||
        [...other.effects.keys()].some((device) => devices.has(device));
      const next = near.slice(index + 1).find(({ device }) => device === other.device);
      const isTakenBack = next !== undefined && !condition.refuses(Number(next.event.new));
      return other !== change && isFor && !isTakenBack && condition.refuses(Number(other.event.new));
    });
    return others.slice(-MAX_ALSO);
  }

  /** The changes since a time. */
  since(netns: number, timeNs: bigint): readonly Change[] {
    return this.#of(netns).filter((change) => change.timeNs >= timeNs);
  }

  #of(netns: number): readonly Change[] {
    return this.#changes.get(netns) ?? [];
  }
}

/** It neither switched anything on nor off. */
function isOfNoConsequence({ effects }: Change): boolean {
  return [...effects.values()].every((effect) => (effect.old === 0) === (effect.new === 0));
}

/** A device that is younger than a change got its value from `default`, which the change may have made binding. */
function makesTrue(
  change: Change,
  { refuses }: Condition,
  device: string,
  since: bigint | undefined,
): boolean {
  const isYounger = since === undefined || since > change.timeNs;
  const effect = change.effects.get(device) ?? (isYounger ? change.effects.get('default') : undefined);
  return effect !== undefined && !refuses(effect.old) && refuses(effect.new);
}

function makesFalse({ effects }: Change, { refuses }: Condition, device: string): boolean {
  const effect = effects.get(device);
  return effect !== undefined && refuses(effect.old) && !refuses(effect.new);
}

function isNear(change: Change, other: Change): boolean {
  return absolute(change.timeNs - other.timeNs) <= NEAR_NS;
}

function switchesOn({ event }: Change, condition: Condition): boolean {
  return condition.refuses(Number(event.new)) && !condition.refuses(Number(event.old ?? 0));
}

/** Nobody could read what became of the write, but the drop found just this value. */
function provedBy({ device, mode }: Refusal, change: Change, { setting, refuses }: Condition): boolean {
  const { outcome, old } = change.event;
  if (outcome !== 'unconfirmed' || setting !== 'rp_filter' || mode === undefined) return false;
  const found = change.device === 'all' ? mode.all : change.device === device ? mode.device : undefined;
  return found === Number(change.event.new) && refuses(found) && !refuses(Number(old ?? 0));
}

function absolute(value: bigint): bigint {
  return value < 0n ? -value : value;
}

const NEAR_NS = 1_000_000_000n;
/** A write is seen before the kernel has taken the value. */
const LATE_NS = 100_000_000n;
const MAX_NETNS = 64;
const MAX_CHANGES = 256;
const MAX_ALSO = 4;
