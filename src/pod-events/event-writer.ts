import { ApiClient } from '../attribute/sources/kubernetes/client.js';
import { SURROUNDINGS, type Surroundings } from '../attribute/sources/kubernetes/credentials.js';
import { ApiFailure, toFailure } from '../attribute/sources/kubernetes/failure.js';
import { findCredentials } from '../attribute/sources/kubernetes/find-credentials.js';
import { Backoff, pause, TIMING, type Timing } from '../attribute/sources/kubernetes/timing.js';
import type { KubernetesOptions } from '../attribute/sources/kubernetes-options.js';
import { within } from '../within.js';
import { Allowance } from './allowance.js';

export interface EventWriterOptions {
  readonly kubernetes: KubernetesOptions;
  /** Something that people should know, in words. */
  readonly note: (text: string) => void;
  readonly surroundings?: Surroundings;
  readonly timing?: Timing;
  readonly allowance?: Allowance;
}

/** Makes an event only when it is its turn, so that it says what is known then. */
export type EventMaker = () => { namespace: string; event: object };

/** Writes events to the Kubernetes API, one after the other and not many: a mass of drops must not become a mass of requests. */
export class EventWriter {
  written = 0;
  /** Those that did not come to the server. */
  lost = 0;
  readonly #options: EventWriterOptions;
  readonly #allowance: Allowance;
  readonly #abort = new AbortController();
  readonly #waiting: EventMaker[] = [];
  /** Namespaces where no events may be created, be it that they are about to go: the others shall not wait for those again. */
  readonly #refusing = new Set<string>();
  #client: ApiClient | undefined;
  #running: Promise<void> | undefined;
  /** Why the one that is being written did not get there yet, or the last one at all. */
  failure: string | undefined;

  constructor(options: EventWriterOptions) {
    this.#options = options;
    this.#allowance = options.allowance ?? new Allowance(BURST, PAUSE_MS);
  }

  add(maker: EventMaker): void {
    if (this.#waiting.length === MAX_WAITING) this.lost++;
    else this.#waiting.push(maker);
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  /** What is not written within this time is lost. */
  async end(graceMs: number): Promise<void> {
    await within(graceMs, this.#running);
    this.#abort.abort();
    await this.#running;
    this.lost += this.#waiting.length;
    this.#waiting.length = 0;
    this.#client?.close();
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    while (this.#waiting.length > 0 && !signal.aborted) {
      const waitMs = this.#allowance.take();
      if (waitMs > 0) await pause(waitMs, signal);
      else await this.#write(this.#waiting.shift() as EventMaker);
    }
  }

  async #write(maker: EventMaker): Promise<void> {
    const backoff = new Backoff(this.#options.timing ?? TIMING);
    const made = maker();
    let refusals = 0;
    for (;;) {
      const failure = await this.#attempt(made);
      // It is there already where the answer to an earlier try was lost.
      if (failure === undefined || failure.kind === 'exists') {
        this.written++;
        this.failure = undefined;
        this.#refusing.delete(made.namespace);
        return;
      }
      this.#tell(failure);
      refusals = AWAY.includes(failure.kind) ? 0 : refusals + 1;
      if (this.#isFinal(failure, refusals, made.namespace)) {
        if (failure.kind === 'forbidden') this.#remember(made.namespace);
        this.lost++;
        return;
      }
      await pause(backoff.next(failure.retryAfterMs ?? 0), this.#abort.signal);
    }
  }

  #isFinal({ kind }: ApiFailure, refusals: number, namespace: string): boolean {
    // An API server that begins may refuse what it has taken before, until it has read its rules.
    const mayBeTaken = kind === 'forbidden' && this.written > 0 && !this.#refusing.has(namespace);
    return (FINAL.includes(kind) && !mayBeTaken) || refusals >= MAX_REFUSALS;
  }

  #remember(namespace: string): void {
    if (this.#refusing.size === MAX_REFUSING) this.#refusing.clear();
    this.#refusing.add(namespace);
  }

  async #attempt({ namespace, event }: ReturnType<EventMaker>): Promise<ApiFailure | undefined> {
    try {
      const client = await this.#connect();
      await client.create(`/api/v1/namespaces/${encodeURIComponent(namespace)}/events`, event, PERMISSION);
      return undefined;
    } catch (error) {
      return toFailure(error);
    }
  }

  async #connect(): Promise<ApiClient> {
    if (this.#client) return this.#client;
    const { kubernetes, surroundings = SURROUNDINGS, timing = TIMING } = this.#options;
    const credentials = await findCredentials(kubernetes, surroundings);
    if (credentials === undefined)
      throw new ApiFailure('credentials', 'there is no kubeconfig and no service account');
    this.#client = new ApiClient(credentials, timing, this.#abort.signal);
    return this.#client;
  }

  #tell({ kind, message }: ApiFailure): void {
    if (kind === 'stopped' || message === this.failure) return;
    this.failure = message;
    this.#options.note(`no events for pods: ${message}`);
  }
}

const PERMISSION = 'create events in all namespaces';
/** To try again is of no use. */
const FINAL: readonly string[] = ['forbidden', 'missing', 'stopped'];
/** The next one would fare no better: what waits behind it waits on, as far as there is room. */
const AWAY: readonly string[] = ['unreachable', 'timeout'];
/** One after the other. */
const MAX_REFUSALS = 5;
const MAX_REFUSING = 1000;
/** Pods of a node that one incident may hit, and some more. */
const MAX_WAITING = 512;
/** With 5,000 nodes in one incident, 50,000 events at once and 500 a second after that. */
const BURST = 10;
const PAUSE_MS = 10_000;
