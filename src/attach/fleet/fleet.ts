import type { TracerError } from '../../errors.js';
import { TIME_WITHIN, timeOfLine } from '../../serve/history/search.js';
import type { Place } from '../place.js';
import type { Question } from '../question.js';
import { type Packed, pack, packedBytes, type Received, unpack } from '../received.js';
import { HoldBack, type Standing } from './hold-back.js';
import { horizonOf } from './horizon.js';
import { Intake, PORTION_BYTES } from './intake.js';
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
  /** For events that are held, besides what each connection brings at a time. */
  readonly maxBytes?: number;
}

/**
 * Follows many servers as if they were one. An event waits until it is `windowMs` old, so that what happened before comes before;
 * who is silent is waited for no longer. Where the past is asked for, servers that still tell it hold the others back.
 */
export class Fleet implements MemberListener {
  readonly #options: FleetOptions;
  readonly windowMs: number;
  readonly #maxBytes: number;
  readonly #members = new Map<string, Member>();
  /** Who was followed last on a node, also when it is gone. */
  readonly #lastOf = new Map<string, Member>();
  readonly #held = new HoldBack<Packed>();
  readonly #rollCall: RollCall;
  readonly #tally = new Tally();
  readonly #intake: Intake;
  readonly patienceMs: number;
  readonly #timers: NodeJS.Timeout[] = [];
  #moving: NodeJS.Immediate | undefined;
  /** Who takes the events wants no more for now. */
  #isBlocked = false;
  /** All whom to begin with are there. */
  #isComplete = false;
  #isReady = false;
  #isOver = false;
  #completeMs = 0;
  /** All that happened before has come, ms since 1970. */
  #knownMs = Number.NEGATIVE_INFINITY;
  /** Events that went before their window was over. */
  #early = 0;
  #wasConnected = false;
  #end: (why: TracerError | undefined) => void = () => undefined;

  constructor(options: FleetOptions) {
    const { question, windowMs = WINDOW_MS, maxBytes = MAX_BYTES } = options;
    this.#options = options;
    this.windowMs = windowMs;
    this.#maxBytes = maxBytes;
    this.#intake = new Intake(windowMs);
    this.patienceMs = asksForPast(question) ? PATIENCE_MS : windowMs;
    this.#rollCall = new RollCall(options.note, () => ({ total: this.size, silent: this.#silent.length }));
  }

  get size(): number {
    return this.#members.size;
  }

  get heldBytes(): number {
    return this.#held.bytes;
  }

  get report(): FleetReport {
    return { ...this.#tally.report([...this.#members.values()]), early: this.#early };
  }

  /**
   * Follows one more. `key` tells it from others; one that is there already stays. Who comes to a node after another goes on
   * where that one was: what its server saw before it could be reached is not left out, what it remembers does not come twice.
   * Who comes beside another that is still followed is followed from now on.
   */
  add(key: string, place: Place, node?: string): void {
    if (this.#members.has(key)) return;
    const { question } = this.#options;
    const isCatchingUp = asksForPast(question) && !this.#isComplete;
    const last = node === undefined ? undefined : this.#lastOf.get(node);
    // In a list that is read again, who is gone stands beside who came.
    const after = last?.isStopped || last?.state.kind === 'silent' ? last.after : undefined;
    const fromBoot = last?.isStopped === true && after === undefined && !asksForPast(question);
    const member = new Member({ node, place, question, listener: this, isCatchingUp, after, fromBoot });
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
    this.#intake.resume(member);
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
    clearImmediate(this.#moving);
    for (const member of this.#members.values()) member.stop();
    this.#checkReady();
    this.#rollCall.tell();
    if (why) throw why;
    this.#held.release(Number.POSITIVE_INFINITY, (packed) => {
      this.#options.onEvent(unpack(packed));
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
    const packed = pack(received);
    return this.#held.add(packed, time, packedBytes(packed), Date.now());
  }

  changed(member: Member): void {
    this.#wasConnected ||= member.wasConnected;
    this.#rollCall.changed(member);
    this.#checkEnd();
  }

  /** Reading would keep the program from writing, so nobody is read while who takes the events is busy. */
  portion(member: Member): Promise<void> | undefined {
    this.#intake.heard(member);
    if (!this.#isBlocked && this.#room >= 0) return undefined;
    this.#moveSoon();
    return this.#intake.pause(member);
  }

  get #silent(): Member[] {
    return [...this.#members.values()].filter(({ state }) => state.kind === 'silent');
  }

  #pass(): void {
    for (const member of this.#members.values()) member.checkBehind();
    this.#move();
    if (!this.#isBlocked) this.#intake.resumeMore(this.#room, this.#untilMs);
    this.#checkReady();
  }

  /** When all connections have been looked at that have something. */
  #moveSoon(): void {
    this.#moving ??= setImmediate(() => this.#move());
  }

  /** Lets go what may go, and reads those for whom there is room then. */
  #move(): void {
    clearImmediate(this.#moving);
    this.#moving = undefined;
    if (this.#isBlocked) return;
    this.#knownMs = horizonOf(this.#members.values(), this);
    this.#give(this.#knownMs);
    if (!this.#isBlocked) this.#intake.resumeSome(this.#room, this.#untilMs);
  }

  get #room(): number {
    return this.#maxBytes - this.#held.bytes;
  }

  /** To be put in order with others, each of them has to have brought something. */
  get #mostBytes(): number {
    return this.#maxBytes + this.size * PORTION_BYTES;
  }

  /** Who has brought more than up to then is not read: what else it brings waits for others, and there is no room to wait in. */
  get #untilMs(): number {
    return this.#held.bytes > this.#mostBytes ? this.#knownMs : Number.POSITIVE_INFINITY;
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

  /** What does not fit goes before its window is over: in the order of what has come so far. */
  #give(knownMs: number): void {
    this.#release(knownMs - this.windowMs, () => true);
    const most = this.#mostBytes;
    if (this.#held.bytes <= most || this.#isBlocked) return;
    this.#release(knownMs, () => {
      this.#early++;
      return this.#held.bytes > most * ENOUGH;
    });
  }

  #release(untilMs: number, goesOn: () => boolean): void {
    const { onEvent, onPortion } = this.#options;
    let count = 0;
    this.#held.release(untilMs, (packed) => {
      onEvent(unpack(packed));
      const doesGoOn = goesOn();
      if (++count % PORTION === 0 && this.#block(onPortion?.())) return false;
      return doesGoOn;
    });
    if (count > 0) this.#block(onPortion?.());
  }

  /** Returns whether it has to wait. */
  #block(work: Promise<void> | undefined): boolean {
    if (work === undefined) return this.#isBlocked;
    this.#isBlocked = true;
    const unblock = () => {
      this.#isBlocked = false;
      if (!this.#isOver) this.#move();
    };
    work.then(unblock, unblock);
    return true;
  }

  #checkEnd(): void {
    if (!this.#isComplete || this.#members.size === 0) return;
    // Each of thousands asks when it is connected: one that goes on is enough to know.
    for (const { state } of this.#members.values())
      if (state.kind === 'heard' || state.kind === 'connecting') return;
    const states = [...this.#members.values()].map(({ state }) => state);
    const [first] = states.flatMap((state) => ('why' in state && state.why ? [state.why] : []));
    if (!this.#wasConnected && first) this.#end(first);
    else if (states.every(({ kind }) => kind === 'ended')) this.#end(undefined);
  }
}

function asksForPast({ since, last, follow }: Question): boolean {
  return since !== undefined || last !== undefined || !follow;
}

/** Counts of flows come out once a second, with the time of their last drop; the rest is for the way and for clocks. */
const WINDOW_MS = 2000;
/** For a server that has to tell of the past: to be connected to, and between what it tells. */
const PATIENCE_MS = 15_000;
/** Some 12,000 events: more than come within the window from a thousand nodes with five a second each. */
const MAX_BYTES = 24 << 20;
/** How much is held on when more has come than that: it is not to be full again at once. */
const ENOUGH = 7 / 8;
/** Nodes that come and go for months: more than are there at a time. */
const MAX_NODES = 20_000;
const PASS_MS = 50;
const TELL_MS = 1000;
/** Events between two questions whether there is room for more. */
const PORTION = 64;
