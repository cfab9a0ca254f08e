import type { SysctlChangeEvent } from '../events.js';
import type { NativeAddon } from '../native.js';
import type { SysctlReader } from '../record/decode.js';
import type { NetconfReader } from '../record/route-records.js';
import {
  type After,
  type Attempt,
  afterByNext,
  DECIDED_MS,
  isPuzzling,
  isStale,
  judge,
  readAttempt,
} from './attempt.js';
import { type Change, effectMembers } from './change.js';
import { settingName, storedAs, WATCHED_SETTINGS } from './name.js';
import { type Effect, type Effects, SettingTable, type Values } from './table.js';
import { parseValue } from './value.js';
import { Writers } from './writer.js';

export interface SettingsOptions {
  readonly addon: Pick<NativeAddon, 'settings'>;
  readonly node: string;
  /** RFC 3339 of CLOCK_MONOTONIC. */
  readonly format: (timeNs: bigint) => string;
  readonly now: () => bigint;
  /** Writes whose record was lost, since the start. */
  readonly lostWrites: () => number;
  /** Network namespaces to look at; undefined: all. */
  readonly netns?: readonly number[] | undefined;
  readonly writers?: Pick<Writers, 'describe'>;
}

/**
 * The settings that decide about source addresses: who writes them, what became of it, and what changed without a write that
 * could be seen. The hook sees attempts; each is held against what the next one found, or against the value read again. A
 * value that nobody wrote is told when the record of a write has had the time to come. Bounded: namespaces, devices and
 * waiting attempts.
 */
export class Settings {
  readonly #options: SettingsOptions;
  readonly #writers: Pick<Writers, 'describe'>;
  readonly #netns = new Map<number, Namespace>();
  #waiting: Attempt[] = [];
  /** How many may wait. */
  #fullAt = FEW_WAITING;
  #lost = 0;
  /** When losses were noticed last. */
  #lostNs = 0n;
  /** Records are missing among those that are settled: what the next write found was not left by the one before. */
  #isPatchy = false;
  /** Namespaces with suspects. */
  readonly #suspected = new Set<Namespace>();

  constructor(options: SettingsOptions) {
    this.#options = options;
    this.#writers = options.writers ?? new Writers();
  }

  /** Attempts whose outcome is not known yet. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** No more attempts should be taken before the next settle(). */
  get isFull(): boolean {
    return this.#waiting.length >= this.#fullAt;
  }

  /** When settle() will find out more, in milliseconds from now; undefined: when more comes. */
  get dueInMs(): number | undefined {
    if (this.#waiting.length > 0) return DECIDED_MS;
    if (this.#suspected.size === 0) return undefined;
    const suspects = [...this.#suspected].flatMap((namespace) => [...namespace.suspects.values()]);
    return suspects.some(({ seenBy }) => seenBy === 'netconf') ? DECIDED_MS : SUSPECT_MS;
  }

  /** Reads what the settings are now, to tell later what changed. */
  baseline(netns: number): void {
    this.#find(netns);
  }

  /**
   * A record of this namespace came. Where its inode number was another one's before, all that was known of that one is
   * forgotten: returns what became of its last attempts, else undefined.
   */
  meet(netns: number, cookie: bigint): Change[] | undefined {
    const known = this.#netns.get(netns);
    if (known === undefined || cookie === 0n || known.cookie === cookie) return undefined;
    if (known.cookie === 0n) {
      known.cookie = cookie;
      return undefined;
    }
    const last = this.#waiting.filter((attempt) => attempt.netns === netns);
    this.#waiting = this.#waiting.filter((attempt) => attempt.netns !== netns);
    const changes = this.#settleIn(known, last, 'final', GONE);
    this.#suspected.delete(known);
    this.#netns.delete(netns);
    return changes;
  }

  /** Who wrote is found out at once: processes that write settings live short. Returns whether it is one of ours. */
  take(record: SysctlReader): boolean {
    const { netns } = this.#options;
    if (netns && !netns.includes(record.netns)) return false;
    const attempt = readAttempt(record, this.#writers.describe(record), this.#options.now());
    if (attempt) this.#waiting.push(attempt);
    return attempt !== undefined;
  }

  /**
   * Finds out what became of the attempts. `early`: more records may be on their way, so what puzzles waits; `full`: it does
   * not wait for long; `idle`: neither, and all records that came were taken; `final`: none will come.
   */
  settle(moment: Moment): Change[] {
    this.#noteLosses(moment);
    const byNetns = new Map<number, Attempt[]>();
    for (const attempt of this.#waiting) {
      const others = byNetns.get(attempt.netns);
      if (others) others.push(attempt);
      else byNetns.set(attempt.netns, [attempt]);
    }
    this.#waiting = [];
    const changes = [...byNetns].flatMap(([netns, attempts]) =>
      moment === 'full' && attempts.length < MAX_WAITING
        ? this.#settleFollowed(this.#find(netns), attempts)
        : this.#settleIn(this.#find(netns), attempts, moment),
    );
    this.#fullAt = this.#waiting.length + FEW_WAITING;
    return moment === 'early' || moment === 'full'
      ? changes
      : [...changes, ...this.#lookAgain(moment === 'final')];
  }

  /**
   * The kernel says what settings of a device are now, all writes that were seen before it having been taken. What is not as
   * it was left comes out of a later settle().
   */
  notice({ netns, device, values, timeNs }: NetconfReader): void {
    const namespace = this.#netns.get(netns);
    if (namespace === undefined || device === '') return;
    for (const [setting, value] of values) {
      const table = namespace.tables.get(setting);
      const old = table?.values.get(device);
      // It may have been heard of another value in between: a device is announced before what is written to it.
      if (old === value) namespace.suspects.delete(suspectKey(setting, device));
      if (table === undefined || old === value) continue;
      const notBeforeNs = namespace.readNs;
      const suspect = { setting, device, old, new: value, timeNs, notBeforeNs, why: UNSEEN };
      namespace.suspects.set(suspectKey(setting, device), { ...suspect, seenBy: 'netconf' });
      this.#suspected.add(namespace);
    }
  }

  /** Reads a setting again. What changed without a write that was seen comes now or out of a later settle(). */
  reconcile(netns: number, setting = 'rp_filter'): Change[] {
    if (this.#waiting.some((attempt) => attempt.netns === netns)) return [];
    const isNew = !this.#netns.has(netns);
    const namespace = this.#find(netns);
    const values = isNew ? undefined : this.#read(netns, setting);
    if (values === undefined || typeof values === 'string') return [];
    return this.#compare(namespace, setting, values, this.#options.now());
  }

  /** The values of a setting as they are known; undefined when they are not. */
  table(netns: number, setting: string): SettingTable | undefined {
    return this.#netns.get(netns)?.tables.get(setting);
  }

  /** When the settings of a namespace were read for the first time. CLOCK_MONOTONIC. */
  knownSince(netns: number): bigint | undefined {
    return this.#netns.get(netns)?.sinceNs;
  }

  /** When a device was seen there for the first time; undefined: never. */
  deviceSince(netns: number, device: string): bigint | undefined {
    return this.#netns.get(netns)?.devices.get(device);
  }

  /** What was lost lies among the records that come until the reader has caught up. */
  #noteLosses(moment: Moment): void {
    const lost = this.#options.lostWrites();
    const now = this.#options.now();
    if (lost > this.#lost) {
      this.#isPatchy = true;
      this.#lostNs = now;
    } else if (moment === 'idle' && now - this.#lostNs >= SUSPECT_NS) this.#isPatchy = false;
    this.#lost = lost;
  }

  #find(netns: number): Namespace {
    const known = this.#netns.get(netns);
    if (known) {
      this.#netns.delete(netns);
      this.#netns.set(netns, known);
      return known;
    }
    if (this.#netns.size === MAX_NETNS) this.#netns.delete(this.#netns.keys().next().value as number);
    const now = this.#options.now();
    const namespace: Namespace = {
      cookie: 0n,
      netns,
      sinceNs: now,
      tables: new Map(),
      devices: new Map(),
      suspects: new Map(),
      readNs: now,
    };
    this.#netns.set(netns, namespace);
    for (const setting of WATCHED_SETTINGS) {
      const values = this.#read(netns, setting);
      if (typeof values === 'string') break;
      this.#learn(namespace, setting, values);
    }
    namespace.sinceNs = this.#options.now();
    return namespace;
  }

  #learn(namespace: Namespace, setting: string, values: Values): SettingTable {
    const table = new SettingTable(setting, values);
    namespace.tables.set(setting, table);
    for (const device of values.keys()) {
      if (!namespace.devices.has(device)) namespace.devices.set(device, namespace.readNs);
    }
    return table;
  }

  /** Or why they cannot be read. */
  #read(netns: number, setting: string): Values | string {
    try {
      const values: Values = new Map();
      for (const [device, text] of this.#options.addon.settings(netns, setting).slice(0, MAX_DEVICES)) {
        const value = parseValue(text);
        if (value !== undefined) values.set(device, value);
      }
      return values;
    } catch (error) {
      return `it could not be read back: ${(error as Error).message}`;
    }
  }

  /** In a burst most attempts are known by what the next one found: nothing has to be read for these. */
  #settleFollowed(namespace: Namespace, attempts: readonly Attempt[]): Change[] {
    const followed = countFollowed(attempts);
    this.#waiting.push(...attempts.slice(followed));
    namespace.cookie ||= attempts[0]?.netnsCookie ?? 0n;
    this.#goBack(namespace, attempts);
    const afters = aftersOf(attempts, new Map());
    const drafts = attempts
      .slice(0, followed)
      .flatMap((attempt, index) => this.#draft(namespace, attempt, afters[index] as After));
    return drafts.map(({ make }) => make());
  }

  /** With `unreadable` nothing is read back, and this is why. */
  #settleIn(
    namespace: Namespace,
    attempts: readonly Attempt[],
    moment: Moment,
    unreadable?: string,
  ): Change[] {
    const now = this.#options.now();
    const settings = new Set(attempts.map(({ setting }) => storedAs(setting)));
    const read = new Map(
      [...settings].map((setting) => [setting, unreadable ?? this.#read(namespace.netns, setting)]),
    );
    namespace.cookie ||= attempts[0]?.netnsCookie ?? 0n;
    this.#goBack(namespace, attempts);
    const afters = aftersOf(attempts, read);
    const firstOpen = attempts.findIndex(
      (attempt, index) =>
        moment !== 'final' &&
        isPuzzling(attempt, afters[index] as After) &&
        !(moment !== 'early' && isStale(attempt, now)),
    );
    const settled = firstOpen < 0 ? attempts : attempts.slice(0, firstOpen);
    if (firstOpen >= 0) this.#waiting.push(...attempts.slice(firstOpen));
    const drafts = settled.flatMap((attempt, index) =>
      this.#draft(namespace, attempt, afters[index] as After),
    );
    const changes = firstOpen < 0 ? this.#attribute(namespace, drafts, read, now) : [];
    return [...drafts.map(({ make }) => make()), ...changes];
  }

  /** What was read after attempts had been made is put back to what it was before, as far as the attempts tell. */
  #goBack(namespace: Namespace, attempts: readonly Attempt[]): void {
    for (const attempt of attempts.toReversed()) {
      const table = namespace.tables.get(storedAs(attempt.setting));
      if (attempt.old === undefined || table === undefined) continue;
      const isUnknown = !table.values.has(attempt.device);
      if (isUnknown || attempt.timeNs <= namespace.sinceNs) table.values.set(attempt.device, attempt.old);
      if (isUnknown) namespace.devices.set(attempt.device, attempt.timeNs);
    }
  }

  #draft(namespace: Namespace, attempt: Attempt, after: After): Draft[] {
    const outcome = judge(attempt, after, this.#isPatchy);
    const setting = storedAs(attempt.setting);
    const table = namespace.tables.get(setting);
    const missed = table ? this.#missedBefore(namespace, attempt, table) : [];
    namespace.suspects.delete(suspectKey(setting, attempt.device));
    const didChange = outcome.outcome === 'changed';
    const effects =
      table && didChange && attempt.wanted !== undefined
        ? table.write(attempt.device, attempt.wanted)
        : new Map<string, Effect>();
    const make = (): Change => ({
      event: {
        ...this.#begin(attempt.timeNs, namespace.netns, attempt),
        ...(attempt.oldText === undefined
          ? { old_unknown: 'the kernel did not give it' }
          : { old: attempt.oldText }),
        new: attempt.newText,
        seen_by: 'cgroup_sysctl',
        ...outcome,
        ...(outcome.outcome === 'unconfirmed'
          ? { effective_unknown: 'it is not known what became of it' }
          : effectMembers(effects)),
        writer: attempt.writer,
      },
      timeNs: attempt.timeNs,
      notBeforeNs: attempt.timeNs,
      netns: namespace.netns,
      device: attempt.device,
      setting,
      effects,
    });
    return [...missed, { attempt, setting, effects, didChange, make }];
  }

  /** The value that an attempt found was not the one that was left there. */
  #missedBefore(namespace: Namespace, attempt: Attempt, table: SettingTable): Draft[] {
    const known = table.values.get(attempt.device);
    if (attempt.old === undefined || known === undefined || known === attempt.old) return [];
    const effects = table.write(attempt.device, attempt.old);
    const setting = storedAs(attempt.setting);
    const suspect = {
      setting,
      device: attempt.device,
      old: known,
      new: attempt.old,
      timeNs: attempt.timeNs - 1n,
      notBeforeNs: namespace.readNs,
      why: this.#isPatchy ? LOST : UNSEEN,
      seenBy: 'reconcile' as const,
    };
    const make = () => this.#unseenChange(namespace.netns, suspect, effects);
    return [{ attempt: undefined, setting, effects, didChange: true, make }];
  }

  /** What is different from what the attempts make of it: they did more than was written, or something else did it. */
  #attribute(
    namespace: Namespace,
    drafts: readonly Draft[],
    read: ReadonlyMap<string, Values | string>,
    now: bigint,
  ): Change[] {
    return [...read].flatMap(([setting, values]) => {
      if (typeof values === 'string') return [];
      const spreading = drafts.findLast(
        (draft) => draft.setting === setting && draft.didChange && draft.attempt?.device === 'default',
      );
      if (spreading) this.#spread(namespace, spreading, values);
      return this.#compare(namespace, setting, values, now);
    });
  }

  /** Devices whose own value nobody has set take over what is written to `default`. */
  #spread(namespace: Namespace, { setting, attempt, effects }: Draft, values: Values): void {
    const table = namespace.tables.get(setting);
    const taken = [...values].filter(
      ([device, value]) =>
        value === attempt?.wanted && device !== 'all' && (table?.values.get(device) ?? value) !== value,
    );
    for (const [device, effect] of table?.set(new Map(taken)) ?? []) effects.set(device, effect);
  }

  /** Tells the values that have been others for long enough; what is other only now becomes suspect. */
  #compare(namespace: Namespace, setting: string, values: Values, now: bigint, isFinal = false): Change[] {
    const table = namespace.tables.get(setting) ?? this.#learn(namespace, setting, values);
    const changes = [...values].flatMap(([device, value]) => {
      const old = table.values.get(device);
      const key = suspectKey(setting, device);
      const known = namespace.suspects.get(key);
      if (old === value || known?.new !== value) namespace.suspects.delete(key);
      if (old === value) return [];
      const suspect =
        known?.new === value
          ? known
          : {
              setting,
              device,
              old,
              new: value,
              timeNs: now,
              notBeforeNs: namespace.readNs,
              why: UNSEEN,
              seenBy: 'reconcile' as const,
            };
      if (isFinal || isRipe(suspect, now)) return this.#convict(namespace, table, suspect);
      namespace.suspects.set(key, suspect);
      return [];
    });
    this.#forgetDevices(namespace, setting, table, values);
    namespace.readNs = now;
    if (namespace.suspects.size > 0) this.#suspected.add(namespace);
    else this.#suspected.delete(namespace);
    return changes;
  }

  #convict(namespace: Namespace, table: SettingTable, suspect: Suspect): Change[] {
    const { device, setting, old } = suspect;
    namespace.suspects.delete(suspectKey(setting, device));
    const effects = table.set(new Map([[device, suspect.new]]));
    if (old !== undefined) return [this.#unseenChange(namespace.netns, suspect, effects)];
    if (!namespace.devices.has(device)) namespace.devices.set(device, suspect.timeNs);
    const isWorthTelling = setting === 'rp_filter' && suspect.new !== 0;
    return isWorthTelling ? [this.#unseenChange(namespace.netns, suspect, effects)] : [];
  }

  #forgetDevices(namespace: Namespace, setting: string, table: SettingTable, values: Values): void {
    for (const device of table.values.keys()) {
      if (values.has(device)) continue;
      table.values.delete(device);
      namespace.devices.delete(device);
    }
    // A device can be gone before anybody has looked at what was heard of it.
    for (const [key, suspect] of namespace.suspects)
      if (suspect.setting === setting && !values.has(suspect.device)) namespace.suspects.delete(key);
  }

  /** Reads again what was suspect long enough ago. */
  #lookAgain(isFinal: boolean): Change[] {
    const now = this.#options.now();
    return [...this.#suspected].flatMap((namespace) => {
      const due = [...namespace.suspects.values()].filter((suspect) => isFinal || isRipe(suspect, now));
      return [...new Set(due.map(({ setting }) => setting))].flatMap((setting) => {
        const values = this.#read(namespace.netns, setting);
        if (typeof values !== 'string') return this.#compare(namespace, setting, values, now, isFinal);
        namespace.suspects.clear();
        this.#suspected.delete(namespace);
        return [];
      });
    });
  }

  #unseenChange(netns: number, suspect: Suspect, effects: Effects): Change {
    const { device, setting, timeNs, old } = suspect;
    return {
      event: {
        ...this.#begin(timeNs, netns, { device, setting }),
        ...(old === undefined ? { old_unknown: 'the device is new' } : { old: String(old) }),
        new: String(suspect.new),
        seen_by: suspect.seenBy,
        not_before: this.#options.format(suspect.notBeforeNs),
        outcome: 'changed',
        confirmed_by: 'read_back',
        ...effectMembers(effects),
        writer_unknown: old === undefined ? INHERITED : suspect.why,
      },
      timeNs,
      notBeforeNs: suspect.notBeforeNs,
      netns,
      device,
      setting,
      effects,
    };
  }

  #begin(
    timeNs: bigint,
    netns: number,
    name: { device: string; setting: string },
  ): Pick<SysctlChangeEvent, 'v' | 'kind' | 'time' | 'node' | 'name' | 'device' | 'setting' | 'netns'> {
    return {
      v: 1,
      kind: 'sysctl_change',
      time: this.#options.format(timeNs),
      node: this.#options.node,
      name: settingName(name),
      device: name.device,
      setting: name.setting,
      netns,
    };
  }
}

/** How much may still be on its way when attempts are settled. */
export type Moment = 'early' | 'full' | 'idle' | 'final';

/** What is known of a network namespace. */
interface Namespace {
  /** 0n: not known yet. */
  cookie: bigint;
  readonly netns: number;
  /** When all of it had been read for the first time: writes before that may be in it already. */
  sinceNs: bigint;
  readonly tables: Map<string, SettingTable>;
  /** When each device was seen for the first time. */
  readonly devices: Map<string, bigint>;
  readonly suspects: Map<string, Suspect>;
  /** When it was read last. */
  readNs: bigint;
}

/** A value that is not what was left there. The record of a write may still be on its way. */
interface Suspect {
  readonly setting: string;
  readonly device: string;
  /** undefined: the device is new. */
  readonly old: number | undefined;
  readonly new: number;
  /** When it was found. */
  readonly timeNs: bigint;
  /** When it was still as it had been. */
  readonly notBeforeNs: bigint;
  /** Why nobody is named. */
  readonly why: string;
  readonly seenBy: 'netconf' | 'reconcile';
}

/** Whether the record of a write would have come by now. */
function isRipe({ timeNs, seenBy }: Suspect, nowNs: bigint): boolean {
  return nowNs - timeNs >= (seenBy === 'netconf' ? DECIDED_NS : SUSPECT_NS);
}

/** A change whose effects may still grow. */
interface Draft {
  readonly attempt: Attempt | undefined;
  readonly setting: string;
  readonly effects: Map<string, Effect>;
  readonly didChange: boolean;
  readonly make: () => Change;
}

function suspectKey(setting: string, device: string): string {
  return `${setting}/${device}`;
}

/** What each setting held after each attempt: what the next attempt at it found; after the last what was read. */
function aftersOf(attempts: readonly Attempt[], read: ReadonlyMap<string, Values | string>): After[] {
  const next = new Map<string, Attempt>();
  return attempts
    .toReversed()
    .map((attempt) => {
      const setting = storedAs(attempt.setting);
      const key = `${setting}\0${attempt.device}`;
      const following = next.get(key);
      next.set(key, attempt);
      return (following && afterByNext(attempt, following)) ?? readBack(attempt, read.get(setting));
    })
    .toReversed();
}

/** Attempts before the first one whose setting none of the later ones writes. */
function countFollowed(attempts: readonly Attempt[]): number {
  const last = new Map(
    attempts.map(({ setting, device }, index) => [`${storedAs(setting)}/${device}`, index]),
  );
  return Math.min(attempts.length, ...last.values());
}

function readBack(attempt: Attempt, values: Values | string | undefined): After {
  if (values === undefined) return { why: 'it was not read back' };
  if (typeof values === 'string') return { why: values };
  const value = values.get(attempt.device);
  return value === undefined ? { why: 'the device is gone' } : { value, by: 'read_back' };
}

const UNSEEN = 'no write to it was seen: netlink, or a write while the hook was not there';
const GONE = 'the network namespace is gone';
const LOST = 'the record of the write was lost: there were too many at a time';
const INHERITED = 'a new device takes over what default says';
/** Above any time that a record spends in the ring buffer when the reader is not behind. */
const SUSPECT_MS = 250;
const DECIDED_NS = BigInt(DECIDED_MS) * 1_000_000n;
const SUSPECT_NS = BigInt(SUSPECT_MS) * 1_000_000n;
/** A batch holds some 1400. */
const MAX_WAITING = 512;
/** What waits for longer than the young generation lasts costs more to collect than to settle. */
const FEW_WAITING = 32;
const MAX_NETNS = 64;
const MAX_DEVICES = 4096;
