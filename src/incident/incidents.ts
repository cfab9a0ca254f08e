import type { Hint, IncidentEvent, Persisted, RpfMode } from '../events.js';
import type { Explainer, Undoing } from '../explain/explain.js';
import { type Assignment, sysctlWords } from '../explain/fix.js';
import type { RouteChange } from '../routes/change.js';
import { RouteHistory } from '../routes/history.js';
import { type Change, causingChange } from '../settings/change.js';
import { settingName } from '../settings/name.js';
import type { Settings } from '../settings/settings.js';
import { parseValue } from '../settings/value.js';
import { type Condition, conditionsOf, History, type Refusal, ruleOf } from './culprit.js';
import { findRemedy, type Remedy } from './fix.js';
import { type Cause, type Closing, Incident } from './incident.js';
import { findRouteCulprit } from './route-culprit.js';
import { movedBack } from './route-ending.js';
import { routeCause, routeMember, undoOf } from './route-words.js';
import { summarise, type Told } from './summary.js';

export interface IncidentsOptions {
  readonly settings: Pick<Settings, 'table' | 'knownSince' | 'deviceSince'>;
  readonly node: string;
  readonly ownNetns: number | undefined;
  /** RFC 3339 of CLOCK_MONOTONIC. */
  readonly format: (timeNs: bigint) => string;
  readonly now: () => bigint;
  /** What is known of the places that changes and drops belong to. */
  readonly explainer: Pick<Explainer, 'place' | 'undoing' | 'hints' | 'sourceOf' | 'reverseRoute'>;
  /** How long counts of drops may stay in the kernel. */
  readonly intervalMs: number;
}

/** Joins drops and changes of settings: one incident for all drops of a network namespace that have one cause. Bounded. */
export class Incidents {
  readonly #options: IncidentsOptions;
  readonly #history = new History();
  readonly #open: Incident[] = [];
  readonly #routes = new RouteHistory();
  readonly #sources = new WeakMap<Change, Persisted | undefined>();
  #count = 0;
  /** Another number when flows may belong to another incident than before. */
  epoch = 0;

  constructor(options: IncidentsOptions) {
    this.#options = options;
  }

  get hasOpen(): boolean {
    return this.#open.length > 0;
  }

  /** Network namespaces with incidents that are not over. */
  get netns(): Set<number> {
    return new Set(this.#open.map(({ netns }) => netns));
  }

  /** Takes a change into account. */
  learn(change: Change): void {
    const { outcome } = change.event;
    if (outcome !== 'changed' && outcome !== 'unconfirmed') return;
    this.#history.add(change);
    this.epoch++;
    for (const incident of this.#open) {
      if (incident.netns === change.netns) this.#relate(incident, change);
    }
  }

  /** A network namespace is gone: nothing of it has to do with the next one of its number. */
  forget(netns: number): void {
    this.#history.forget(netns);
    this.#routes.forget(netns);
    for (const incident of this.#open) {
      if (incident.netns === netns) incident.closing = { kind: 'namespace_gone' };
    }
    this.epoch++;
  }

  /** Whether a drop is one that settings decide. */
  concern(refusal: Refusal): boolean {
    return conditionsOf(refusal) !== undefined;
  }

  /** The incident that a refusal belongs to, opened where there is none. Undefined: no setting decides it. */
  find(refusal: Refusal, dropNs: bigint): Incident | undefined {
    const conditions = conditionsOf(refusal);
    if (conditions === undefined) return undefined;
    const cause = this.#causeOf(refusal, conditions, dropNs);
    const known = this.#open.find((incident) => isOf(incident, refusal, cause));
    return known ?? this.#start(refusal, conditions, cause, dropNs);
  }

  /** Takes a change of routes into account. */
  learnRoute(change: RouteChange): void {
    this.#routes.add(change);
    if (this.netns.has(change.netns)) this.epoch++;
  }

  /** Routes have changed there: what is refused may be let in by now, or not any more. */
  recheck(netns: number): void {
    const changes = this.#routes.of(netns);
    for (const incident of this.#open) {
      if (incident.netns !== netns || incident.setBack || incident.closing) continue;
      const before = incident.movedBack;
      incident.movedBack = movedBack(incident, changes, (passage) =>
        this.#options.explainer.reverseRoute(passage),
      );
      if (incident.movedBack && !before) incident.activeNs = this.#options.now();
    }
  }

  /**
   * A change of settings that makes the kernel refuse is proven by what it did. A change of routes goes before it where it came
   * later and is proven too: until then the source was let in.
   */
  #causeOf(refusal: Refusal, conditions: readonly Condition[], dropNs: bigint): KnownCause | undefined {
    const { netns, ailment } = refusal;
    const cause = this.#settingOf(refusal, conditions, dropNs);
    const suspect = ailment && findRouteCulprit(this.#routes.of(netns), ailment, dropNs);
    const isLast =
      suspect?.doubt === undefined && (suspect?.change.timeNs ?? 0n) > (cause?.change.timeNs ?? 0n);
    if (cause && !isLast) return cause;
    return suspect && { kind: 'route_change', suspect };
  }

  #settingOf(refusal: Refusal, conditions: readonly Condition[], dropNs: bigint): SettingCause | undefined {
    const begunBy = this.#history.culpritOf(refusal, conditions, dropNs, this.#options.settings);
    const condition = conditions.find(({ setting }) => setting === begunBy?.setting);
    if (begunBy === undefined || condition === undefined) return undefined;
    const change = this.#history.successorOf(begunBy, refusal, condition, dropNs) ?? begunBy;
    return { kind: 'sysctl_change', change, begunBy };
  }

  /** What is to be told now: news, once a second for what grows, and ends. */
  tell(): IncidentEvent[] {
    const now = this.#options.now();
    const events: IncidentEvent[] = [];
    for (const incident of [...this.#open]) {
      if (incident.drops > incident.told) incident.activeNs = now;
      if (!incident.isTold) this.#catchUp(incident);
      incident.closing ??= this.#ending(incident, now);
      if (incident.closing) this.#remove(incident);
      if (isNews(incident, now)) events.push(this.#tell(incident, now));
    }
    return events;
  }

  /** The last words: what was not told yet. */
  finish(): IncidentEvent[] {
    const now = this.#options.now();
    for (const incident of this.#open) {
      if (!incident.isTold) this.#catchUp(incident);
      if (incident.end) incident.closing = incident.end;
    }
    return this.#open
      .filter((incident) => incident.closing || !incident.isTold || incident.drops > incident.told)
      .map((incident) => this.#tell(incident, now));
  }

  #start(
    refusal: Refusal,
    conditions: readonly Condition[],
    known: KnownCause | undefined,
    dropNs: bigint,
  ): Incident {
    const oldest = this.#open[0];
    if (this.#open.length === MAX_OPEN && oldest) oldest.closing = { kind: 'crowded_out' };
    const cause = known ?? this.#unknown(refusal, conditions[0] as Condition);
    const incident = new Incident(`i-${++this.#count}`, refusal, conditions, cause, dropNs);
    incident.activeNs = this.#options.now();
    this.#open.push(incident);
    return incident;
  }

  /** Why no cause is known, and what is. */
  #unknown({ netns, device, mode }: Refusal, { setting }: Condition): Cause {
    const since = this.#options.settings.knownSince(netns);
    const table = this.#options.settings.table(netns, setting);
    if (since === undefined || table === undefined) {
      const why = `the settings of network namespace ${netns} cannot be read from here, so nobody can say what changed`;
      return { kind: 'unknown', why };
    }
    const from = `before ${this.#options.format(since).slice(11, 19)}, when it was first read`;
    if (setting !== 'rp_filter' || mode === undefined) {
      return { kind: 'unknown', why: `no setting is known to have changed; ${setting} is as it was ${from}` };
    }
    const inherited = this.#inherited(netns, device, mode);
    if (inherited !== undefined)
      return { kind: 'unknown', why: `${inherited}, which was so already ${from}` };
    const holder = mode.decided_by === 'device' ? device : 'all';
    const value = mode.decided_by === 'device' ? mode.device : mode.all;
    const name = `net.ipv4.conf.${holder}.rp_filter`;
    if (this.#history.isIncomplete(netns))
      return {
        kind: 'unknown',
        why: `more changed than is remembered: who set ${name} is not known any more`,
      };
    const was = this.#history.hasChanged(netns, holder, setting) ? 'on' : value;
    return {
      kind: 'unknown',
      why: `${name} was ${was} already ${from}: who set it is not known`,
      ...this.#hints(holder, value, netns),
    };
  }

  #hints(device: string, value: number, netns: number): { hints?: Hint[] } {
    const hints = this.#options.explainer.hints(settingName({ device, setting: 'rp_filter' }), value, netns);
    return hints.length === 0 ? {} : { hints };
  }

  /** A device that came after the settings were read has what default says. */
  #inherited(netns: number, device: string, mode: RpfMode): string | undefined {
    const { settings } = this.#options;
    const byDefault = settings.table(netns, 'rp_filter')?.values.get('default');
    const since = settings.deviceSince(netns, device);
    const isOld = since !== undefined && since <= (settings.knownSince(netns) ?? 0n);
    if (isOld || mode.decided_by === 'all' || byDefault !== mode.device) return undefined;
    return `${device} is new and took over net.ipv4.conf.default.rp_filter=${byDefault}`;
  }

  /** A change may explain an incident whose cause was not known, or end one. What refuses again then has a new cause. */
  #relate(incident: Incident, change: Change): void {
    incident.follow(change);
    if (!isProven(incident.cause)) this.#explain(incident);
    this.#passOn(incident, change);
    if (change.timeNs < incident.firstNs) return;
    const table = this.#options.settings.table(incident.netns, change.setting);
    if (!incident.isEndedBy(change, (device) => table?.values.has(device) ?? true)) return;
    incident.setBack = change;
    incident.activeNs = this.#options.now();
  }

  /** The culprit's change is taken back, and the kernel refuses all the same: another one that was made with it is to be told. */
  #passOn(incident: Incident, change: Change): void {
    const { cause, condition, first } = incident;
    if (cause.kind !== 'sysctl_change' || change.timeNs <= cause.change.timeNs) return;
    const isTakenBack = change.device === cause.change.device && change.setting === cause.change.setting;
    if (!isTakenBack || condition.refuses(Number(change.event.new))) return;
    const other = this.#history.besides(cause.change, first.device, condition, change.timeNs);
    if (other === undefined) return;
    incident.cause = { ...cause, change: other };
    incident.isExplained = true;
  }

  /** What was set back at once may have been learned of before the first drop was. */
  #catchUp(incident: Incident): void {
    for (const change of this.#history.since(incident.netns, incident.firstNs))
      this.#relate(incident, change);
    const isMoved = this.#routes.of(incident.netns).some(({ timeNs }) => timeNs >= incident.firstNs);
    if (isMoved) this.recheck(incident.netns);
  }

  #explain(incident: Incident): void {
    const { first, conditions, firstNs } = incident;
    const cause = this.#settingOf(first, conditions, firstNs);
    if (cause === undefined) return;
    incident.cause = cause;
    incident.isExplained = true;
  }

  #ending(incident: Incident, now: bigint): Closing | undefined {
    const quietMs = Number(now - incident.activeNs) / 1e6;
    if (incident.movedBack && incident.lastNs - incident.movedBack.timeNs > LATE_NS)
      incident.movedBack = undefined;
    if (incident.end && quietMs >= this.#options.intervalMs + SETTLED_MS) return incident.end;
    if (quietMs < QUIET_MS + this.#options.intervalMs) return undefined;
    return { kind: 'drops_stopped', seconds: Number(now - incident.lastNs) / 1e9 };
  }

  #remove(incident: Incident): void {
    this.#open.splice(this.#open.indexOf(incident), 1);
    this.epoch++;
  }

  #tell(incident: Incident, now: bigint): IncidentEvent {
    incident.state = incident.closing ? 'closed' : incident.isTold ? 'update' : 'open';
    incident.isTold = true;
    incident.isExplained = false;
    incident.told = incident.drops;
    incident.toldNs = now;
    const remedy = this.#remedy(incident);
    const facts = this.#describe(incident, now);
    const fix = this.#fixMembers(incident, remedy);
    const { cause } = incident;
    const isSetBack =
      remedy?.isSetBack || (cause.kind === 'route_change' && undoOf(cause.suspect) !== undefined);
    const summary = summarise({ ...facts, ...fix }, this.#options.ownNetns, isSetBack);
    return { v: 1, kind: 'incident', ...facts, summary, ...fix };
  }

  #describe(incident: Incident, now: bigint): Omit<Told, keyof FixMembers> {
    const { cause, closing, netns } = incident;
    const { format } = this.#options;
    const also =
      cause.kind === 'sysctl_change'
        ? this.#history.around(cause.change, incident.condition, incident.devices)
        : [];
    return {
      time: format(now),
      node: this.#options.node,
      id: incident.id,
      state: incident.state,
      netns,
      cause:
        cause.kind === 'sysctl_change'
          ? {
              kind: cause.kind,
              change: causingChange(cause.change),
              ...(also.length > 0 && { also: also.map(causingChange) }),
            }
          : cause.kind === 'route_change'
            ? routeCause(cause.suspect, format)
            : cause,
      first_drop: format(incident.firstNs),
      last_drop: format(incident.lastNs),
      ...(cause.kind !== 'unknown' && {
        seconds_to_first_drop: Math.max(Number(incident.firstNs - timeOf(cause)), 0) / 1e9,
      }),
      drops: incident.drops,
      devices: [...incident.devices].slice(0, MAX_LISTED),
      devices_count: incident.devices.size,
      ...(incident.pods.size > 0 && {
        pods: [...incident.pods].slice(0, MAX_LISTED),
        pods_count: incident.pods.size,
      }),
      sources: [...incident.sources].slice(0, MAX_LISTED),
      sources_count: incident.sources.size,
      reasons: [...incident.reasons],
      ...(closing && {
        closed_by:
          closing.kind === 'sysctl_change'
            ? { kind: closing.kind, change: causingChange(closing.change) }
            : closing.kind === 'route_change'
              ? { kind: closing.kind, route: routeMember(closing.route, format) }
              : closing,
      }),
    };
  }

  /** What ends it; undefined once it is over. */
  #remedy({ cause, closing, end, ailments }: Incident): Remedy | undefined {
    if (closing || end) return undefined;
    return findRemedy(ailments, cause.kind === 'sysctl_change' ? valueBefore(cause.change) : undefined);
  }

  #fixMembers({ netns, setBack, cause }: Incident, remedy: Remedy | undefined): FixMembers {
    const settings = remedy?.settings ?? (setBack ? valueAfter(setBack) : []);
    const { command, where } = this.#options.explainer.place(netns);
    const undo = remedy && cause.kind === 'route_change' ? undoOf(cause.suspect) : undefined;
    if (undo) return { fix: [command(undo)], ...(where !== undefined && { fix_where: where }) };
    const hasFix = remedy !== undefined && remedy.settings.length > 0;
    return {
      fix: hasFix ? [command(sysctlWords(settings))] : [],
      ...(remedy?.unknown !== undefined && { fix_unknown: remedy.unknown }),
      ...(hasFix && where !== undefined && { fix_where: where }),
      ...this.#undoing(settings, netns, cause),
    };
  }

  /** The files that will do it again: those of the machine, and the one that the culprit read. */
  #undoing(settings: readonly Assignment[], netns: number, cause: Cause): Undone {
    const { persisted = [], ...unknown } = this.#options.explainer.undoing(settings, netns);
    const read = cause.kind === 'sysctl_change' ? this.#sourceOf(cause.change) : undefined;
    const isRead = (line: Persisted) => read?.file === line.file && read.line === line.line;
    const lines: Undone['persisted'] = persisted.map((line) => ({
      ...line,
      at_boot: true,
      ...(isRead(line) && { read_by_writer: true }),
    }));
    if (cause.kind === 'sysctl_change' && read && !lines.some(isRead) && undoes(cause.change, settings))
      lines.push({ ...read, at_boot: false, read_by_writer: true });
    return { ...(lines.length > 0 && { persisted: lines }), ...unknown };
  }

  #sourceOf(change: Change): Persisted | undefined {
    const { writer, name, new: text } = change.event;
    const value = parseValue(text);
    if (writer === undefined || value === undefined) return undefined;
    if (!this.#sources.has(change))
      this.#sources.set(change, this.#options.explainer.sourceOf(writer, name, value));
    return this.#sources.get(change);
  }
}

type Undone = Pick<IncidentEvent, keyof Undoing>;
type FixMembers = Pick<IncidentEvent, 'fix' | 'fix_unknown' | 'fix_where'> & Undone;

/** Whether the change, made again, puts another value in the place of one of these. */
function undoes(change: Change, settings: readonly Assignment[]): boolean {
  const again = valueAfter(change)[0];
  return settings.some(
    ({ scope, setting, value }) =>
      scope === again?.scope && setting === again.setting && value !== again.value,
  );
}

function valueBefore({ device, setting, event }: Change): Assignment | undefined {
  const value = parseValue(event.old ?? '');
  return value === undefined ? undefined : { scope: device, setting, value };
}

function valueAfter({ device, setting, event }: Change): Assignment[] {
  const value = parseValue(event.new);
  return value === undefined ? [] : [{ scope: device, setting, value }];
}

/** Whether drops with this cause belong to an incident. One that was set back takes no drops of a later change. */
function isOf(incident: Incident, refusal: Refusal, cause: KnownCause | undefined): boolean {
  if (!incident.isOpen || incident.netns !== refusal.netns) return false;
  const { cause: known } = incident;
  switch (known.kind) {
    case 'sysctl_change':
      // As long as the kernel refuses it is the same one, whichever change keeps it going.
      return (
        cause?.kind === 'sysctl_change' && (cause.change === known.change || cause.begunBy === known.begunBy)
      );
    case 'route_change': {
      const isSame = cause?.kind === 'route_change' && cause.suspect.change === known.suspect.change;
      // While routes come and go, what was refused before is refused for the same cause.
      return isSame || (incident.setBack === undefined && incident.holds(refusal));
    }
    case 'unknown':
      return cause === undefined && ruleOf(incident.first) === ruleOf(refusal);
  }
}

type KnownCause = Exclude<Cause, { kind: 'unknown' }>;
type SettingCause = Extract<Cause, { kind: 'sysctl_change' }>;

function isProven(cause: Cause): boolean {
  return (
    cause.kind === 'sysctl_change' || (cause.kind === 'route_change' && cause.suspect.doubt === undefined)
  );
}

function timeOf(cause: KnownCause): bigint {
  if (cause.kind === 'sysctl_change') return cause.change.timeNs;
  return (cause.suspect.trigger ?? cause.suspect.change).timeNs;
}

function isNews(incident: Incident, now: bigint): boolean {
  if (incident.drops === 0) return false;
  if (!incident.isTold || incident.isExplained || incident.closing) return true;
  return incident.drops > incident.told && now - incident.toldNs >= UPDATE_NS;
}

const MAX_OPEN = 64;
const MAX_LISTED = 16;
const UPDATE_NS = 1_000_000_000n;
/** After counts have had the time to come out of the kernel. */
const SETTLED_MS = 500;
/** Drops as much later than what should have ended them say that it did not. */
const LATE_NS = 100_000_000n;
const QUIET_MS = 30_000;
