import type { TracerError } from '../../errors.js';
import { TIME_WITHIN, timeOfLine } from '../../serve/history/search.js';
import type { Place } from '../place.js';
import type { Question } from '../question.js';
import type { Received } from '../received.js';
import { HoldBack, type Standing } from './hold-back.js';
import { Member, type MemberListener } from './member.js';
import { type FleetReport, Tally } from './report.js';
import { RollCall } from './roll-call.js';

export interface FleetOptions {
  readonly question: Question;
  /** In the order of their times, but for those that come late. */
  readonly onEvent: (received: Received) => void;
  /** After a portion of events. No more are given until what it returns is fulfilled: then the servers keep the rest. */
  readonly onPortion?: (() => Promise<void> | undefined) | undefined;
  /** For people: who is silent, who is back. */
  readonly note: (text: string) => void;
  /** All have been tried once, or have had their time: `heard` of them are there. */
  readonly onReady?: (heard: number, total: number) => void;
  /** How long an event is held back for others that happened before, ms. */
  readonly windowMs?: number | undefined;
  /** Events that are held, in bytes of their text. */
  readonly maxBytes?: number;
}

/**
 * Follows many servers as if they were one. An event waits until it is `windowMs` old, so that what happened before comes before;
 * who is silent is waited for no longer. Where the past is asked for, servers that still tell it hold the others back.
 */
export class Fleet implements MemberListener {
  readonly #options: FleetOptions;
  readonly #windowMs: number;
  readonly #maxBytes: number;
  readonly #members = new Map<string, Member>();
  /** Who was followed last on a node, also when it is gone. */
  readonly #lastOf = new Map<string, Member>();
  readonly #held = new HoldBack<Received>();
  readonly #rollCall: RollCall;
  readonly #tally = new Tally();
  /** Those that wait until there is room. */
  readonly #paused = new Map<Member, () => void>();
  readonly #patienceMs: number;
  readonly #timers: NodeJS.Timeout[] = [];
  #boundMs = Number.NEGATIVE_INFINITY;
  /** Of those who hold the others back. */
  #furthestBehind: Member | undefined;
  /** Who takes the events wants no more for now. */
  #isBlocked = false;
  /** All whom to begin with are there. */
  #isComplete = false;
  #isReady = false;
  #isOver = false;
  #completeMs = 0;
  #wasConnected = false;
  #end: (why: TracerError | undefined) => void = () => undefined;

  constructor(options: FleetOptions) {
    const { question, windowMs = WINDOW_MS, maxBytes = MAX_BYTES } = options;
    this.#options = options;
    this.#windowMs = windowMs;
    this.#maxBytes = maxBytes;
    this.#patienceMs = asksForPast(question) ? PATIENCE_MS : windowMs;
    this.#rollCall = new RollCall(options.note, () => ({ total: this.size, silent: this.#silent.length }));
  }

  get size(): number {
    return this.#members.size;
  }

  get heldBytes(): number {
    return this.#held.bytes;
  }

  get report(): FleetReport {
    return this.#tally.report([...this.#members.values()]);
  }

  /**
   * Follows one more. `key` tells it from others; one that is there already stays. Who comes to a node after another goes on
   * where that one was: what its server saw before it could be reached is not left out, what it remembers does not come twice.
   */
  add(key: string, place: Place, node?: string): void {
    if (this.#members.has(key)) return;
    const { question } = this.#options;
    const isCatchingUp = asksForPast(question) && !this.#isComplete;
    const after = node === undefined ? undefined : this.#lastOf.get(node)?.after;
    const member = new Member({ node, place, question, listener: this, isCatchingUp, after });
    this.#members.set(key, member);
    if (node !== undefined) this.#remember(node, member);
    void member.run();
  }

  /** Its node is gone: it is no one who is silent. */
  remove(key: string): void {
    const member = this.#members.get(key);
    if (member === undefined) return;
    this.#members.delete(key);
    this.#tally.leave(member);
    this.#rollCall.forget(member);
    this.#resume(member);
    member.stop();
  }

  /** All whom to begin with were added: from now on it is known whether any of them can be reached. */
  complete(): void {
    this.#isComplete = true;
    this.#completeMs = performance.now();
    this.#checkEnd();
  }

  /**
   * Gives the events of all. Resolves when the signal is aborted, or all has come that was asked for. Rejects with a TracerError
   * when not one can be reached to begin with.
   */
  async run(signal: AbortSignal): Promise<void> {
    this.#timers.push(setInterval(() => this.#pass(), PASS_MS));
    this.#timers.push(setInterval(() => this.#rollCall.tell(), TELL_MS));
    const stop = () => this.#end(undefined);
    const why = await new Promise<TracerError | undefined>((resolve) => {
      this.#end = resolve;
      signal.addEventListener('abort', stop);
      if (signal.aborted) stop();
      this.#checkEnd();
    });
    this.#isOver = true;
    signal.removeEventListener('abort', stop);
    for (const timer of this.#timers) clearInterval(timer);
    for (const member of this.#members.values()) member.stop();
    this.#checkReady();
    this.#rollCall.tell();
    if (why) throw why;
    this.#held.release(Number.POSITIVE_INFINITY, (received) => {
      this.#options.onEvent(received);
      return true;
    });
  }

  #remember(node: string, member: Member): void {
    this.#lastOf.delete(node);
    this.#lastOf.set(node, member);
    const [longestAgo] = this.#lastOf.keys();
    if (this.#lastOf.size > MAX_NODES) this.#lastOf.delete(longestAgo as string);
  }

  event(received: Received): Standing {
    const { event, text } = received;
    // A newer server tells what this version does not know, but for its time.
    const time = event?.time ?? timeOfLine(text.slice(0, TIME_WITHIN));
    return this.#held.add(received, time, text.length, Date.now());
  }

  changed(member: Member): void {
    this.#wasConnected ||= member.wasConnected;
    this.#rollCall.changed(member);
    this.#checkEnd();
  }

  portion(member: Member): Promise<void> | undefined {
    if (!this.#hasToWait(member, this.#maxBytes)) return undefined;
    return new Promise((resolve) => {
      member.pausedMs = performance.now();
      this.#paused.set(member, resolve);
    });
  }

  get #silent(): Member[] {
    return [...this.#members.values()].filter(({ state }) => state.kind === 'silent');
  }

  /**
   * Reading would keep the program from writing, so nobody is read while who takes the events is busy. Of too many that are held,
   * the server that is furthest behind is still read: the others wait for it.
   */
  #hasToWait(member: Member, bytes: number): boolean {
    if (this.#isBlocked) return true;
    return this.#held.bytes > bytes && member !== this.#furthestBehind;
  }

  #pass(): void {
    this.#boundMs = this.#findBound();
    this.#give(this.#boundMs);
    this.#checkReady();
    this.#resumeAll();
  }

  #resumeAll(): void {
    for (const member of this.#paused.keys())
      if (!this.#hasToWait(member, this.#maxBytes / 2)) this.#resume(member);
  }

  #checkReady(): void {
    if (!this.#isComplete || this.#isReady) return;
    const states = [...this.#members.values()].map(({ state }) => state.kind);
    const isTried = !states.includes('connecting') || performance.now() - this.#completeMs > PATIENCE_MS;
    if (!isTried || !this.#wasConnected) return;
    this.#isReady = true;
    this.#options.onReady?.(
      states.filter((kind) => kind === 'heard' || kind === 'ended').length,
      states.length,
    );
  }

  /** What happened before that may go. */
  #findBound(): number {
    const now = performance.now();
    let boundMs = Date.now() - this.#windowMs;
    this.#furthestBehind = undefined;
    for (const member of this.#members.values()) {
      if (!this.#holdsBack(member, now) || member.markMs - this.#windowMs >= boundMs) continue;
      boundMs = member.markMs - this.#windowMs;
      this.#furthestBehind = member;
    }
    return boundMs;
  }

  #holdsBack(member: Member, now: number): boolean {
    const { isCatchingUp, heardMs, state } = member;
    if (state.kind === 'silent' || state.kind === 'ended') return false;
    return this.#isPausedForLong(member, now) || (isCatchingUp && now - heardMs < this.#patienceMs);
  }

  /** So long that what it told meanwhile may come too late, if the others do not wait. */
  #isPausedForLong({ pausedMs }: Member, now: number): boolean {
    return pausedMs !== undefined && now - pausedMs > this.#windowMs / 2;
  }

  #give(untilMs: number): void {
    if (this.#isBlocked) return;
    const { onEvent, onPortion } = this.#options;
    let count = 0;
    this.#held.release(untilMs, (received) => {
      onEvent(received);
      return ++count % PORTION > 0 || !this.#block(onPortion?.());
    });
    this.#block(onPortion?.());
  }

  /** Returns whether it has to wait. */
  #block(work: Promise<void> | undefined): boolean {
    if (work === undefined) return this.#isBlocked;
    this.#isBlocked = true;
    const unblock = () => {
      this.#isBlocked = false;
      if (this.#isOver) return;
      this.#give(this.#boundMs);
      this.#resumeAll();
    };
    work.then(unblock, unblock);
    return true;
  }

  #resume(member: Member): void {
    const resume = this.#paused.get(member);
    this.#paused.delete(member);
    const now = performance.now();
    member.isCatchingUp ||= this.#isPausedForLong(member, now);
    member.pausedMs = undefined;
    member.heardMs = now;
    resume?.();
  }

  #checkEnd(): void {
    if (!this.#isComplete || this.#members.size === 0) return;
    const states = [...this.#members.values()].map(({ state }) => state);
    const isOver = states.every(({ kind }) => kind === 'ended');
    const isHopeless =
      !this.#wasConnected && states.every(({ kind }) => kind === 'silent' || kind === 'ended');
    const [first] = states.flatMap((state) => ('why' in state && state.why ? [state.why] : []));
    if (isHopeless && first) this.#end(first);
    else if (isOver) this.#end(undefined);
  }
}

function asksForPast({ since, last, follow }: Question): boolean {
  return since !== undefined || last !== undefined || !follow;
}

/** Counts of flows come out once a second, with the time of their last drop; the rest is for the way and for clocks. */
const WINDOW_MS = 2000;
/** For a server that has to tell of the past: to be connected to, and between what it tells. */
const PATIENCE_MS = 15_000;
/** Some 20,000 events; their objects take some five times as much. */
const MAX_BYTES = 16 << 20;
/** Nodes that come and go for months: more than are there at a time. */
const MAX_NODES = 20_000;
const PASS_MS = 50;
const TELL_MS = 1000;
/** Events between two questions whether there is room for more. */
const PORTION = 64;
