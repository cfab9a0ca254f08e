import { type TracerError, toTracerError } from '../errors.js';
import type {
  NativeAddon,
  NativeConfig,
  NativePodKeys,
  NativeStats,
  NativeTotal,
  NativeTracer,
} from '../native.js';

/** A batch that is out: valid until release(slot). */
export interface Batch {
  readonly slot: number;
  readonly bytes: number;
}

export interface CaptureHandlers {
  readonly onBatch: (batch: Batch) => void;
  /** The poll thread had to stop. Called at most once; no batch comes after it. */
  readonly onError: (error: TracerError) => void;
}

/** The native tracer with errors of ours. Batches come one by one; each is to be released once it has been taken. */
export class Capture {
  readonly #tracer: NativeTracer;
  #refusedHook: string | undefined;

  /** Loads the programs; nothing is attached yet. Throws a TracerError. */
  constructor(addon: NativeAddon, config: NativeConfig) {
    this.#tracer = translate(() => new addon.Tracer(config));
  }

  get buffers(): readonly ArrayBuffer[] {
    return this.#tracer.buffers;
  }

  /** What sees refused sources, once attached; undefined: nothing does. */
  get refusedHook(): string | undefined {
    return this.#refusedHook;
  }

  attach({ onBatch, onError }: CaptureHandlers): void {
    translate(() =>
      this.#tracer.attach((error, slot, bytes) => {
        if (error) onError(toTracerError(error));
        else onBatch({ slot, bytes });
      }),
    );
    this.#refusedHook = this.stats().refusedHook;
  }

  /** The sinks have taken it. */
  release(batch: Batch): void {
    this.#tracer.release(batch.slot);
  }

  /** Watches the kernel’s route lookups, or no more. Throws a TracerError. */
  watchLookups(on: boolean): void {
    translate(() => this.#tracer.witness(on));
  }

  /** Listens to changes of routes in a network namespace, or no more. Returns 0 or a negative errno. */
  watchRoutes(netns: number, on: boolean): number {
    return translate(() => this.#tracer.watch(netns, on));
  }

  /** Only drops of these pods' packets, from now on. Throws a TracerError. */
  setPods(keys: NativePodKeys): void {
    translate(() => this.#tracer.setPods(keys));
  }

  /** What is remembered of a program that was executed lately: a record of a write without a setting. */
  executed(number: number, netns: number): ArrayBuffer | undefined {
    return translate(() => this.#tracer.executed(number, netns));
  }

  symbol(address: bigint): string | undefined {
    return this.#tracer.symbol(address);
  }

  /** For the whole process, but for the numbers that keep has as bits. Throws a TracerError. */
  giveUpCapabilities(keep: bigint): void {
    translate(() => this.#tracer.giveUpCapabilities(keep));
  }

  stats(): NativeStats {
    return this.#tracer.stats();
  }

  totals(): NativeTotal[] {
    return this.#tracer.totals();
  }

  /** Detaches at once; resolves when all that was captured has been handed out and released. */
  async detach(): Promise<void> {
    await this.#tracer.detach().catch((error) => {
      throw toTracerError(error);
    });
  }

  /** Detaches and gives up what was not handed out. Idempotent. */
  async close(): Promise<void> {
    await this.#tracer.close();
  }
}

function translate<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw toTracerError(error);
  }
}
