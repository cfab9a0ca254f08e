import { hostname } from 'node:os';
import { loadAddon } from './addon.js';
import { podSources } from './attribute/pods/default-sources.js';
import { captureConfig } from './capture-config.js';
import { TracerError } from './errors.js';
import type { TraceEvent } from './events.js';
import { resolveFilters } from './filters/filters.js';
import { checkPodSources } from './filters/pods.js';
import { Session, type StopCause } from './session.js';
import { DropEventSink } from './sink/event-sink.js';
import { QueueSink } from './sink/queue.js';
import { checkTracerOptions, type TracerOptions } from './tracer-options.js';

/**
 * A running trace: a stream of events that begins with `start` and ends with `stop`. To stop reading it early, by break or
 * close(), closes it. A reader that is slow loses drops in the kernel only, where they are counted: see `lost`.
 */
export interface Tracer extends AsyncIterable<TraceEvent>, AsyncDisposable {
  /** Detaches; the rest of the stream and its stop event can still be read. */
  stop(): void;
  /** Detaches, gives up what was not read, and frees everything. Idempotent. */
  close(): Promise<void>;
}

/**
 * Attaches to the running kernel. Rejects with a TracerError: E_USAGE, E_MISSING_CAPABILITY, E_NO_BTF, E_UNKNOWN_REASON ...;
 * with the reason of its signal where that is aborted already.
 *
 *     await using tracer = await openTracer({ rpfOnly: true });
 *     for await (const event of tracer) if (event.kind === 'drop') console.log(event.device.name, event.count);
 */
export async function openTracer(options: TracerOptions = {}): Promise<Tracer> {
  checkTracerOptions(options);
  options.signal?.throwIfAborted();
  const addon = loadAddon();
  const filters = resolveFilters(addon, options);
  const node = options.node ?? hostname();
  const sources = podSources(options);
  checkPodSources(filters.pods, sources);
  const queue = new QueueSink();
  const session = new Session(addon, {
    config: { ...filters.config, ...captureConfig(options) },
    filters: filters.described,
    reasons: filters.reasonNames,
    pods: { sources, labels: options.labels },
    podFilter: filters.pods,
    node,
    witness: options.witness,
    makeSink: (clock) => new DropEventSink(queue, clock, node),
    onError: (error) => tracer.fail(error),
  });
  const tracer = new SessionTracer(session, queue, options.signal);
  try {
    session.attach();
    session.announce();
  } catch (error) {
    await tracer.close();
    throw error;
  }
  return tracer;
}

class SessionTracer implements Tracer {
  readonly #session: Session;
  readonly #queue: QueueSink;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = () => this.#end({ why: 'aborted' });
  #failure: TracerError | undefined;
  #closing: Promise<void> | undefined;

  constructor(session: Session, queue: QueueSink, signal: AbortSignal | undefined) {
    this.#session = session;
    this.#queue = queue;
    this.#signal = signal;
    signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  stop(): void {
    this.#end({ why: 'closed' });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<TraceEvent, void, undefined> {
    try {
      for (;;) {
        const event = await this.#queue.next();
        if (this.#failure) throw this.#failure;
        if (event === undefined) return;
        yield event;
      }
    } finally {
      await this.close();
    }
  }

  /** Capturing had to stop. */
  fail(error: TracerError): void {
    this.#failure = error;
    this.#queue.end();
  }

  #end(cause: StopCause): void {
    // A stream that is closed while it drains has no reader for its stop event left.
    this.#session.stop(cause).catch((error) => {
      if (this.#closing === undefined)
        this.fail(new TracerError('E_INTERNAL', String(error), { cause: error }));
    });
  }

  async #close(): Promise<void> {
    this.#signal?.removeEventListener('abort', this.#onAbort);
    await this.#session.abandon({ why: 'closed' });
    await this.#queue.end();
  }
}
