import type { ApiClient } from './client.js';
import { type ApiFailure, failureOfStatus, toFailure } from './failure.js';
import { listAll } from './listing.js';
import { textAt, valueAt } from './object.js';
import type { Resource } from './resource.js';
import { Backoff, pause, type Timing } from './timing.js';
import type { WatchEvent } from './watch-reader.js';
import { watchFrom } from './watching.js';

/** Takes the objects as they are now, under their UID. Does not throw. */
export interface Taker {
  put(uid: string, object: unknown): void;
  drop(uid: string): void;
  /** All that there are were told. */
  listed(): void;
}

export interface ReflectorState {
  /** stale: what was told before is all there is; failed: nothing was told ever. */
  readonly phase: 'connecting' | 'ok' | 'stale' | 'failed';
  readonly failure: ApiFailure | undefined;
  /** performance.now() of the last usable answer. */
  readonly heardMs: number | undefined;
  /** Objects that were too large, too many or not understood. */
  readonly left: number;
}

/**
 * Follows all objects of a kind: lists them, then watches from there, and begins again where it was after a break, or from
 * the start when the server does not know any more what was there. Runs until it is stopped and never throws.
 */
export class Reflector {
  readonly #client: ApiClient;
  readonly #resource: Resource;
  readonly #taker: Taker;
  readonly #timing: Timing;
  readonly #signal: AbortSignal;
  readonly #backoff: Backoff;
  readonly #known = new Set<string>();
  /** Where the next watch begins; undefined: with a list. */
  #version: string | undefined;
  /** The server's cache may lie behind what was seen, after it had to forget: it is passed by. */
  #passCache = false;
  #inPages = true;
  /** Since the last usable answer. */
  #refusals = 0;
  /** Whether the last watch was a good one, and nothing failed since. */
  #isForgiven = true;
  #state: ReflectorState = { phase: 'connecting', failure: undefined, heardMs: undefined, left: 0 };

  constructor(client: ApiClient, resource: Resource, taker: Taker, timing: Timing, signal: AbortSignal) {
    this.#client = client;
    this.#resource = resource;
    this.#taker = taker;
    this.#timing = timing;
    this.#signal = signal;
    this.#backoff = new Backoff(timing);
  }

  get state(): ReflectorState {
    return this.#state;
  }

  get size(): number {
    return this.#known.size;
  }

  async run(): Promise<void> {
    while (!this.#signal.aborted) {
      const waitMs = await this.#follow();
      if (waitMs > 0) await pause(waitMs, this.#signal);
    }
  }

  /** Until the stream ends, well or not. Returns how long to leave the server alone. */
  async #follow(): Promise<number> {
    try {
      this.#version ??= await this.#list();
      return await this.#watch(this.#version);
    } catch (error) {
      return this.#fail(toFailure(error));
    }
  }

  async #list(): Promise<string> {
    const before = new Set(this.#known);
    this.#state = { ...this.#state, left: 0 };
    const options = { passCache: this.#passCache, inPages: this.#inPages };
    const { version, tooLarge } = await listAll(
      this.#client,
      this.#resource,
      this.#timing,
      options,
      (object) => before.delete(this.#put(object) ?? ''),
    );
    this.#leave(tooLarge);
    for (const uid of before) this.#drop(uid);
    this.#passCache = false;
    this.#inPages = true;
    this.#heard();
    this.#taker.listed();
    return version;
  }

  /** Returns at the end of the stream how long to wait before the next. */
  async #watch(version: string): Promise<number> {
    const begunMs = performance.now();
    this.#isForgiven = false;
    try {
      await watchFrom(version, this.#client, this.#resource, this.#timing, {
        event: (event) => this.#take(event),
        heard: () => this.#heard(),
      });
    } finally {
      if (performance.now() - begunMs >= this.#timing.goodWatchMs) this.#forgive();
    }
    return this.#isForgiven ? 0 : this.#backoff.next();
  }

  /** It worked for a good while: the next failure is the first again. */
  #forgive(): void {
    this.#isForgiven = true;
    this.#backoff.reset();
  }

  #take({ type, object }: WatchEvent): void {
    if (type === 'ERROR') throw this.#failureOf(object);
    const uid = textAt(object, 'metadata', 'uid');
    if (type === 'DELETED' && uid !== undefined) this.#drop(uid);
    if (type === 'ADDED' || type === 'MODIFIED') this.#put(object);
    this.#version = textAt(object, 'metadata', 'resourceVersion') ?? this.#version;
  }

  #failureOf(status: unknown): ApiFailure {
    const code = valueAt(status, 'code');
    return failureOfStatus(typeof code === 'number' ? code : 500, this.#resource.permission, undefined);
  }

  /** Returns its UID. */
  #put(object: unknown): string | undefined {
    const uid = textAt(object, 'metadata', 'uid');
    if (uid === undefined || (this.#known.size >= this.#resource.max && !this.#known.has(uid))) {
      this.#leave(1);
      return undefined;
    }
    this.#known.add(uid);
    this.#taker.put(uid, object);
    return uid;
  }

  #drop(uid: string): void {
    if (this.#known.delete(uid)) this.#taker.drop(uid);
  }

  #leave(count: number): void {
    if (count > 0) this.#state = { ...this.#state, left: this.#state.left + count };
  }

  #heard(): void {
    this.#refusals = 0;
    this.#state = { ...this.#state, phase: 'ok', failure: undefined, heardMs: performance.now() };
  }

  /** Returns how long to wait. */
  #fail(failure: ApiFailure): number {
    const isFirst = this.#refusals++ === 0;
    const wasForgiven = this.#isForgiven;
    this.#isForgiven = false;
    switch (failure.kind) {
      case 'stopped':
        return 0;
      case 'gone':
        return this.#beginAgain(wasForgiven);
      case 'malformed':
        this.#version = undefined;
        break;
      case 'unauthorized':
        // A token that was renewed in the meantime is taken at once.
        if (isFirst) return RIGHT_AWAY_MS;
        break;
      case 'credentials':
      case 'tls':
        this.#client.forgetCredentials();
        break;
    }
    const phase = this.#state.heardMs === undefined ? 'failed' : 'stale';
    this.#state = { ...this.#state, phase, failure };
    return this.#backoff.next(this.#leastPauseMs(failure));
  }

  /** Too old: what was a watch becomes a list, what was a list in pages a whole one, past a cache that lies behind. */
  #beginAgain(isFirst: boolean): number {
    if (this.#version === undefined && this.#passCache) this.#inPages = false;
    this.#version = undefined;
    this.#passCache = true;
    return isFirst ? RIGHT_AWAY_MS : this.#backoff.next();
  }

  /**
   * What was never given, somebody has to grant first. What was given before is asked for again soon: an API server that begins answers
   * before it reads its rules, and may refuse until then (NonBlockingRun() of k8s.io/apiserver/pkg/server/genericapiserver.go, 1.20).
   */
  #leastPauseMs({ kind, retryAfterMs }: ApiFailure): number {
    const isRefused = kind === 'forbidden' || kind === 'missing';
    const wasGiven = this.#state.heardMs !== undefined;
    return isRefused && !wasGiven ? this.#timing.refusedPauseMs : (retryAfterMs ?? 0);
  }
}

const RIGHT_AWAY_MS = 1;
