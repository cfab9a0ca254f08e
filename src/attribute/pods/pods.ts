import type { StartEvent } from '../../events.js';
import type { DropReader } from '../../record/decode.js';
import type { Source } from '../source.js';
import { type Attribution, type Grounds, PodAttributor } from './attribution.js';
import { PodIndex } from './pod-index.js';
import type { Place } from './scene.js';

export interface PodsOptions {
  readonly sources?: readonly Source[] | undefined;
  /** With the labels of pods. */
  readonly labels?: boolean | undefined;
  readonly index?: PodIndex | undefined;
  /** Milliseconds of any clock that never goes back. */
  readonly now?: () => number;
}

/** The pods of this node as a trace needs them: sources on one side, answers on the other, and an index in between. */
export class Pods {
  readonly index: PodIndex;
  readonly #sources: readonly Source[];
  readonly #attributor: PodAttributor;
  readonly #now: () => number;
  #nudgedMs = Number.NEGATIVE_INFINITY;
  #isStarted = false;

  constructor({
    sources = [],
    labels,
    index = new PodIndex(),
    now = () => performance.now(),
  }: PodsOptions = {}) {
    this.index = index;
    this.#sources = sources;
    this.#now = now;
    this.#attributor = new PodAttributor(index, {
      labels,
      hasSources: () => this.#sources.some(({ state: { state } }) => state !== 'off' && state !== 'absent'),
      onUnknown: () => this.#nudge(),
    });
  }

  /** Another number when an answer may be another one. */
  get epoch(): number {
    return this.index.epoch;
  }

  /** How the sources are, for people. */
  get states(): StartEvent['sources'] {
    return this.#sources.map((source) => {
      const { name, state, at, why, ageMs, pods } = this.index.judge(source.state);
      return { name, state, at, why, age_ms: ageMs, pods };
    });
  }

  /** Begins to look for pods; returns at once. */
  start(): void {
    this.#isStarted = true;
    for (const source of this.#sources) source.start(this.index.observer(source.name));
  }

  attribute(drop: DropReader, place: Place, timeMs: number, grounds: Grounds): Attribution {
    return this.#attributor.attribute(drop, place, timeMs, grounds);
  }

  isCurrent(grounds: Grounds): boolean {
    return this.#attributor.isCurrent(grounds);
  }

  /** Resolves when nothing of the sources is left, or soon: what they leave keeps no process alive. Idempotent. */
  async stop(): Promise<void> {
    this.index.close();
    if (!this.#isStarted) return;
    let timer: NodeJS.Timeout | undefined;
    const enough = new Promise((resolve) => {
      timer = setTimeout(resolve, STOP_MS);
    });
    await Promise.race([Promise.allSettled(this.#sources.map((source) => source.stop())), enough]);
    clearTimeout(timer);
  }

  #nudge(): void {
    const now = this.#now();
    if (now - this.#nudgedMs < NUDGE_MS) return;
    this.#nudgedMs = now;
    for (const source of this.#sources) source.nudge?.();
  }
}

const NUDGE_MS = 200;
const STOP_MS = 500;
