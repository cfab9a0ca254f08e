import { setTimeout as sleep } from 'node:timers/promises';
import { type TracerError, toTracerError } from '../../errors.js';
import type { EventId } from '../../serve/history/event-id.js';
import { BackOff, STABLE_MS } from '../back-off.js';
import { follow } from '../follow.js';
import type { FollowState } from '../follow-options.js';
import type { Place } from '../place.js';
import type { Question } from '../question.js';
import type { Received } from '../received.js';
import type { Standing } from './hold-back.js';

/** What a member tells. */
export interface MemberListener {
  /** Says where it stands in the order. */
  event(received: Received): Standing;
  /** It has become silent, or is back, or has ended. */
  changed(member: Member): void;
  /** Nothing more is read from it until what it returns is fulfilled. */
  portion(member: Member): Promise<void> | undefined;
}

export interface MemberOptions {
  /** The node, where it is known before there are events. */
  readonly node?: string | undefined;
  readonly place: Place;
  readonly question: Question;
  readonly listener: MemberListener;
  /** Events of the past are asked for, and to come before others go on. */
  readonly isCatchingUp: boolean;
  /** Its node had another server, from which all up to there has come. */
  readonly after?: EventId | undefined;
  /** Its node had another server, of which nothing was heard: all that this one tells is new. */
  readonly fromBoot?: boolean | undefined;
}

export type MemberState =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'heard' }
  | { readonly kind: 'silent'; readonly why: TracerError }
  | { readonly kind: 'ended'; readonly why?: TracerError | undefined };

/** One server of many. It is come back to for as long as it is wanted, whatever goes wrong with it. */
export class Member {
  state: MemberState = { kind: 'connecting' };
  /** Date.now() when the state became what it is. */
  sinceMs = Date.now();
  wasConnected = false;
  events = 0;
  /** Those that came when later ones were gone already. */
  late = 0;
  /** Those that are missing, as the server tells. */
  missing = 0;
  /** All up to there has come, ms since 1970, as far as events of one server stand in order. */
  markMs = Number.NEGATIVE_INFINITY;
  /** What was asked for of the past is still coming. */
  isCatchingUp: boolean;
  /** performance.now() since when it is not read; undefined: it is. */
  pausedMs: number | undefined;
  /** performance.now() when anything came last. */
  heardMs = performance.now();
  /** How far its clock is ahead of ours. */
  aheadMs = 0;
  /** Times that somebody looked and found that nothing had come; undefined where what was left to the server has come. */
  #quiet: number | undefined;
  /** performance.now() when it was connected to last. */
  #connectedMs = Number.POSITIVE_INFINITY;
  #node: string | undefined;
  /** All up to there has come. */
  #after: EventId | undefined;
  readonly #options: MemberOptions;
  readonly #abort = new AbortController();
  readonly #backOff = new BackOff();

  constructor(options: MemberOptions) {
    this.#options = options;
    this.#node = options.node;
    this.#after = options.after;
    this.isCatchingUp = options.isCatchingUp;
  }

  /** For people: the node, and by which way. Not yet safe for a terminal. */
  get name(): string {
    return this.#node === undefined ? this.placeName : `${this.#node} (${this.placeName})`;
  }

  get placeName(): string {
    return this.#options.place.name;
  }

  get node(): string | undefined {
    return this.#node;
  }

  /** All up to there has come. */
  get after(): EventId | undefined {
    return this.#after;
  }

  /** What was left to the server while it was not read is still coming. */
  get isBehind(): boolean {
    return this.#quiet !== undefined;
  }

  /** It is read again after it was not for long. */
  fallBehind(): void {
    this.#quiet = 0;
  }

  /**
   * To be called now and then, between two looks at all connections: what waits on this machine has come by the next call, and
   * what waits for room on the way soon after it.
   */
  checkBehind(): void {
    if (this.#quiet === undefined || this.pausedMs !== undefined) return;
    this.#quiet = this.#quiet < QUIET_LOOKS ? this.#quiet + 1 : undefined;
  }

  /** Until stop(), or until all has come that was asked for. Never rejects. */
  async run(): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      const why = await this.#follow();
      const isOver = why === undefined || !this.#options.question.follow;
      if (signal.aborted || isOver) {
        this.#become({ kind: 'ended', why });
        return;
      }
      this.#catchUp();
      this.#become({ kind: 'silent', why });
      if (this.heardMs - this.#connectedMs > STABLE_MS) this.#backOff.reset();
      this.#connectedMs = Number.POSITIVE_INFINITY;
      const waitMs = PATIENT.includes(why.code) ? DENIED_MS : this.#backOff.next();
      await sleep(waitMs, undefined, { signal }).catch(() => undefined);
    }
  }

  stop(): void {
    this.#abort.abort();
  }

  /** It is wanted no more. */
  get isStopped(): boolean {
    return this.#abort.signal.aborted;
  }

  async #follow(): Promise<TracerError | undefined> {
    const { place, question, listener, fromBoot = false } = this.#options;
    try {
      await follow(place, question, {
        signal: this.#abort.signal,
        ...{ after: this.#after, fromBoot },
        onEvent: (received) => this.#take(received),
        onPosition: (id) => {
          this.#hear();
          this.#after = id;
          this.markMs = Math.max(this.markMs, Date.now());
          this.#catchUp();
        },
        onPortion: () => listener.portion(this),
        onState: (state) => this.#see(state),
      });
      return undefined;
    } catch (error) {
      return toTracerError(error);
    }
  }

  #take(received: Received): void {
    this.#hear();
    this.events++;
    const { event, id = this.#after } = received;
    this.#after = id;
    if (event !== undefined) this.#node = event.node;
    if (event?.kind === 'lost' && event.where === 'reader') this.missing += event.count;
    const { keyMs, isLate, aheadMs } = this.#options.listener.event(received);
    this.markMs = Math.max(this.markMs, keyMs);
    this.aheadMs = Math.max(this.aheadMs, aheadMs);
    if (isLate) this.late++;
  }

  #hear(): void {
    this.heardMs = performance.now();
    if (this.#quiet !== undefined) this.#quiet = 0;
  }

  /** Nothing of the past is waited for any more. */
  #catchUp(): void {
    this.isCatchingUp = false;
    this.#quiet = undefined;
  }

  #see(state: FollowState): void {
    this.#hear();
    if (state.kind === 'disconnected') {
      this.#catchUp();
      this.#become({ kind: 'silent', why: state.why });
    } else {
      this.wasConnected = true;
      this.#connectedMs = this.heardMs;
      this.#become({ kind: 'heard' });
    }
  }

  /** Being silent goes on, whatever the reason is now. */
  #become(state: MemberState): void {
    const isSame = state.kind === this.state.kind;
    if (!isSame) this.sinceMs = Date.now();
    this.state = state;
    if (!isSame) this.#options.listener.changed(this);
  }
}

/** Nothing of it changes within seconds. */
const PATIENT: readonly TracerError['code'][] = ['E_DENIED', 'E_NO_SERVER', 'E_USAGE'];
const DENIED_MS = 30_000;
/** With a look each 50 ms: more than a way there and back takes. */
const QUIET_LOOKS = 4;
