import type { Observer, Source, SourceName, SourceState } from '../source.js';

/** A source whose code is loaded when it starts: what it takes is none of the time until the hooks are attached. */
export class LazySource implements Source {
  readonly name: SourceName;
  readonly #load: () => Promise<Source>;
  #source: Source | undefined;
  #failure: string | undefined;
  #loading: Promise<void> | undefined;
  #isStopped = false;

  constructor(name: SourceName, load: () => Promise<Source>) {
    this.name = name;
    this.#load = load;
  }

  get state(): SourceState {
    if (this.#failure !== undefined) return { name: this.name, state: 'failed', why: this.#failure };
    return this.#source?.state ?? { name: this.name, state: 'connecting' };
  }

  start(observer: Observer): void {
    this.#loading ??= this.#start(observer);
  }

  nudge(): void {
    this.#source?.nudge?.();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#loading;
    await this.#source?.stop();
  }

  async #start(observer: Observer): Promise<void> {
    try {
      const source = await this.#load();
      if (this.#isStopped) return;
      this.#source = source;
      source.start(observer);
    } catch (error) {
      this.#failure = error instanceof Error ? error.message : String(error);
    }
  }
}

/** A source that is not wanted. */
export function switchedOff(name: SourceName): Source {
  return { name, state: { name, state: 'off' }, start: () => undefined, stop: async () => undefined };
}
