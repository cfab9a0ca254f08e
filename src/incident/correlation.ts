import type { IncidentEvent, LostEvent, SysctlChangeEvent } from '../events.js';
import type { DropReader, SysctlReader } from '../record/decode.js';
import type { NetconfReader } from '../record/route-records.js';
import type { RouteChange } from '../routes/change.js';
import type { Moment, Settings } from '../settings/settings.js';
import type { Refusal } from './culprit.js';
import type { Incident } from './incident.js';
import { Incidents, type IncidentsOptions } from './incidents.js';

export interface CorrelationOptions extends IncidentsOptions {
  readonly settings: Settings;
  readonly emit: (event: SysctlChangeEvent | IncidentEvent | LostEvent) => void;
  /** Whether events can be taken now, all records that came having been read. */
  readonly isIdle: () => boolean;
  /** Events came outside of a batch. */
  readonly onTold: () => void;
  /** Writes to settings whose record was lost, since the start. */
  readonly lostWrites: () => number;
}

/**
 * Sees to it that changes and incidents come into the stream at the right moment: a change before the drops that it made,
 * an incident before its first drop, updates once a second. Nothing runs while nothing happens.
 */
export class Correlation {
  readonly #options: CorrelationOptions;
  readonly #incidents: Incidents;
  #timer: NodeJS.Timeout | undefined;
  /** When it goes off. CLOCK_MONOTONIC. */
  #timerNs = 0n;
  #settledNs = 0n;
  #reconciledNs = 0n;
  #toldLost = 0;
  /** Network namespaces of which messages about settings were missed. */
  readonly #unsure = new Set<number>();
  /** Network namespaces with incidents whose routes have changed since these were looked at. */
  readonly #moved = new Set<number>();
  #recheckedNs = 0n;

  constructor(options: CorrelationOptions) {
    this.#options = options;
    this.#incidents = new Incidents(options);
  }

  /** Another number when the incident of a flow is to be asked for again. */
  get epoch(): number {
    return this.#incidents.epoch;
  }

  takeWrite(record: SysctlReader): void {
    const { settings } = this.#options;
    this.#meet(record.netns, record.netnsCookie);
    settings.take(record);
    if (settings.isFull) this.#settle('full');
  }

  /** The kernel says what settings are now, or that it could not. */
  takeNetconf(record: NetconfReader): void {
    if (record.values.length > 0) this.#options.settings.notice(record);
    else if (this.#unsure.size < MAX_UNSURE) this.#unsure.add(record.netns);
  }

  /** Something that routes depend on has changed. */
  takeRouteChange(change: RouteChange): void {
    this.#incidents.learnRoute(change);
    if (this.#incidents.netns.has(change.netns)) this.#moved.add(change.netns);
  }

  /** The incident of a flow; undefined for drops that no setting decides. What was written before is in the stream then. */
  join(refusal: Refusal, dropNs: bigint, netnsCookie: bigint): Incident | undefined {
    const { settings } = this.#options;
    const incidents = this.#incidents;
    this.#meet(refusal.netns, netnsCookie);
    if (settings.waiting > 0) this.#settleAfter(JOIN_NS);
    if (incidents.concern(refusal)) this.#checkMode(refusal, netnsCookie);
    return incidents.find(refusal, dropNs);
  }

  /** Counts a drop in its incident. A new incident comes into the stream before its first drop. */
  count(incident: Incident, drop: DropReader): void {
    incident.take(drop.count, drop.timeLow, drop.timeHigh);
    if (!incident.isTold) this.#tell();
  }

  /** All records of a batch were read. */
  endOfBatch(): void {
    if (this.#options.settings.waiting > 0) this.#settleAfter(SETTLE_NS);
    this.#recheckMoved();
    this.#tell();
    this.#schedule();
  }

  /** Tells what there is to tell, and stops. */
  finish(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { settings } = this.#options;
    const incidents = this.#incidents;
    this.#emitChanges(settings.settle('final'));
    for (const netns of incidents.netns) this.#emitChanges(settings.reconcile(netns));
    this.#emitChanges(settings.settle('final'));
    for (const netns of this.#moved) incidents.recheck(netns);
    this.#tellLost();
    for (const event of incidents.finish()) this.#options.emit(event);
  }

  /** Stops without a word. */
  abandon(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Inode numbers of namespaces that are gone are given to new ones at once. */
  #meet(netns: number, cookie: bigint): void {
    const { settings } = this.#options;
    const incidents = this.#incidents;
    const changes = settings.meet(netns, cookie);
    if (changes === undefined) return;
    this.#emitChanges(changes);
    incidents.forget(netns);
    this.#tell();
  }

  /** What a drop says of the settings is right at that moment: where we know something else, something was missed. */
  #checkMode({ netns, device, mode }: Refusal, cookie: bigint): void {
    const { settings } = this.#options;
    if (settings.knownSince(netns) === undefined) {
      settings.baseline(netns);
      settings.meet(netns, cookie);
    }
    const values = settings.table(netns, 'rp_filter')?.values;
    if (values === undefined || mode === undefined) return;
    if (values.get('all') === mode.all && values.get(device) === mode.device) return;
    const now = this.#options.now();
    if (now - this.#reconciledNs < CHECK_NS) return;
    this.#reconciledNs = now;
    this.#emitChanges(settings.reconcile(netns));
  }

  /** In a burst of writes not for each of them: reading settings back takes time. */
  #settleAfter(ns: bigint): void {
    if (this.#options.now() - this.#settledNs >= ns) this.#settle('early');
  }

  #settle(moment: Moment): void {
    this.#settledNs = this.#options.now();
    this.#emitChanges(this.#options.settings.settle(moment));
  }

  #emitChanges(changes: ReturnType<Settings['settle']>): void {
    for (const change of changes) {
      this.#options.emit(change.event);
      this.#incidents.learn(change);
    }
  }

  #tell(): void {
    if (!this.#incidents.hasOpen) return;
    for (const event of this.#incidents.tell()) this.#options.emit(event);
  }

  #tellLost(): void {
    const { lostWrites, emit, format, now, node } = this.#options;
    const lost = lostWrites();
    const count = lost - this.#toldLost;
    if (count > 0) emit({ v: 1, kind: 'lost', time: format(now()), node, where: 'sysctl', count });
    this.#toldLost = lost;
  }

  #schedule(): void {
    const { settings } = this.#options;
    const incidents = this.#incidents;
    const isAtWork = incidents.hasOpen || this.#unsure.size > 0;
    const dueMs = this.#moved.size > 0 ? RECHECK_MS : (settings.dueInMs ?? (isAtWork ? TICK_MS : undefined));
    if (dueMs === undefined) return;
    const dueNs = this.#options.now() + BigInt(dueMs) * 1_000_000n;
    if (this.#timer && this.#timerNs <= dueNs) return;
    clearTimeout(this.#timer);
    this.#timerNs = dueNs;
    // What came before the timer is taken before it: batches that wait for the event loop.
    this.#timer = setTimeout(() => setImmediate(() => this.#tick()), dueMs);
    this.#timer.unref();
  }

  #tick(): void {
    if (this.#timer === undefined) return;
    this.#timer = undefined;
    if (this.#options.isIdle()) {
      this.#settle('idle');
      this.#reconcile();
      this.#recheckMoved();
      this.#tellLost();
      this.#tell();
      this.#options.onTold();
    }
    this.#schedule();
  }

  /** While routes come and go the ways back are not asked for after each change. */
  #recheckMoved(): void {
    const now = this.#options.now();
    if (this.#moved.size === 0 || now - this.#recheckedNs < RECHECK_NS) return;
    this.#recheckedNs = now;
    for (const netns of this.#moved) this.#incidents.recheck(netns);
    this.#moved.clear();
  }

  /** Something unseen may have ended an incident, or changed what it is about. */
  #reconcile(): void {
    const now = this.#options.now();
    if (now - this.#reconciledNs < RECONCILE_NS) return;
    this.#reconciledNs = now;
    const { settings } = this.#options;
    const incidents = this.#incidents;
    for (const netns of new Set([...incidents.netns, ...this.#unsure]))
      this.#emitChanges(settings.reconcile(netns));
    this.#unsure.clear();
  }
}

const MAX_UNSURE = 64;
const RECHECK_MS = 50;
const RECHECK_NS = BigInt(RECHECK_MS) * 1_000_000n;
const TICK_MS = 1000;
const SETTLE_NS = 20_000_000n;
/** Before a drop of a new flow it matters more that all changes are known. */
const JOIN_NS = 2_000_000n;
const CHECK_NS = 100_000_000n;
const RECONCILE_NS = 2_000_000_000n;
