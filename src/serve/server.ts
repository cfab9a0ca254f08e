import type { IncomingMessage, ServerResponse } from 'node:http';
import { podSources } from '../attribute/pods/default-sources.js';
import type { Source } from '../attribute/source.js';
import { captureConfig } from '../capture-config.js';
import type { TracerError } from '../errors.js';
import type { StartEvent, StopEvent, TraceEvent } from '../events.js';
import { resolveFilters } from '../filters/filters.js';
import { checkPodSources } from '../filters/pods.js';
import type { OpenForwarder } from '../forwarders.js';
import { Metrics } from '../metrics/metrics.js';
import type { NativeAddon } from '../native.js';
import { bitsOf, type CapabilityName } from '../privileges/capabilities.js';
import { keptWhileTracing } from '../privileges/kept.js';
import type { Clock } from '../record/clock.js';
import { monotonicNs } from '../record/clock.js';
import { Session, type StopCause } from '../session.js';
import type { Forwarder } from '../sink/forwarder.js';
import type { Sink } from '../sink/sink.js';
import { TeeSink } from '../sink/tee-sink.js';
import { Archive } from './archive/archive.js';
import { DirectoryLock } from './archive/directory-lock.js';
import { ArchiveWriter } from './archive/writer.js';
import { changedKeys, withFixed } from './config/changed.js';
import { sourceOptions } from './config/options.js';
import type { Config } from './config/schema.js';
import type { Secrets } from './config/secrets.js';
import { Cursor } from './history/cursor.js';
import { nextEpoch } from './history/event-id.js';
import { Journal } from './history/journal.js';
import { JournalSink } from './history/journal-sink.js';
import { Access } from './http/access.js';
import { isLoopback } from './http/address.js';
import { Listener } from './http/listener.js';
import { Router } from './http/router.js';
import { IncidentBook } from './incident-book.js';
import { Bell } from './readers/bell.js';
import { lostLine } from './readers/lost-line.js';
import { Readers } from './readers/readers.js';
import { routesOf } from './routes.js';
import type { ServerState } from './state.js';

export interface ServerOptions {
  readonly addon: NativeAddon;
  readonly config: Config;
  readonly secrets: Secrets;
  readonly node: string;
  /** Who gets the events beside the history. */
  readonly forwarders: readonly OpenForwarder[];
  /** Else those that are not needed any more are given up once all is attached. */
  readonly keepCapabilities: boolean;
  /** For people: what they should know, in words. */
  readonly note: (text: string) => void;
  /** Capturing had to stop. */
  readonly onError: (error: TracerError) => void;
}

/** One capture, its history, and all who read it. */
export class Server implements ServerState {
  readonly addon: NativeAddon;
  readonly node: string;
  readonly journal: Journal;
  readonly readers: Readers;
  readonly incidents = new IncidentBook();
  readonly access: Access;
  readonly metrics: Metrics;
  readonly session: Session;
  readonly sources: readonly Source[];
  readonly archive: Archive | undefined;
  readonly writer: ArchiveWriter | undefined;
  forwarders: readonly Forwarder[] = [];
  readonly startedMs = Date.now();
  start: StartEvent | undefined;
  unready: string | undefined = 'not attached yet';
  readonly #options: ServerOptions;
  readonly #router: Router;
  readonly #bell: Bell;
  readonly #lock: DirectoryLock | undefined;
  #config: Config;
  #listeners: Listener[] = [];

  /** Loads the programs; nothing is attached yet, nobody can connect. Throws a TracerError. */
  constructor(options: ServerOptions) {
    const { addon, config, secrets, node, note } = options;
    this.#options = options;
    this.#config = config;
    this.addon = addon;
    this.node = node;
    const { directory, disk } = config.history;
    if (directory !== undefined) {
      this.#lock = new DirectoryLock({ addon, directory, note });
      this.archive = new Archive({ directory, maxBytes: disk, note });
    }
    const epoch = nextEpoch(this.startedMs, this.archive?.lastEpoch);
    this.journal = new Journal({ epoch, maxBytes: config.history.memory });
    this.#bell = new Bell(() => MIN_GAP_MS + this.readers.count * GAP_MS_PER_READER);
    this.journal.listeners.add(this.#bell.ring);
    this.readers = new Readers({
      addon,
      journal: this.journal,
      archive: this.archive,
      bell: this.#bell,
      labels: config.capture.labels === true,
      max: () => this.#config.limits.readers,
      lostLine: (missing) =>
        lostLine(missing, { node, time: this.session.pipeline.clock.formatNs(monotonicNs()) }),
    });
    this.writer = this.archive && this.#makeWriter(this.archive, epoch);
    this.access = new Access(secrets.token);
    this.metrics = this.#makeMetrics();
    this.#router = new Router({
      routes: routesOf(this),
      access: this.access,
      onError: (error, path) => note(`${path}: ${error.message}`),
    });
    this.sources = podSources(sourceOptions(config));
    this.session = this.#makeSession();
  }

  /** Where it listens. */
  get urls(): string[] {
    return this.#listeners.map(({ url }) => url);
  }

  get config(): Config {
    return this.#config;
  }

  get requests(): number {
    return this.#router.requests;
  }

  /** Listens, then attaches. Throws a TracerError; close() after that. */
  async open(onAttached: () => void): Promise<void> {
    const { tls } = this.#options.secrets;
    for (const address of this.#config.listen) {
      const isRemote = address.kind === 'tcp';
      this.#listeners.push(
        await Listener.open({
          address,
          tls,
          socketMode: Number.parseInt(this.#config.socket_mode, 8),
          maxConnections: this.#config.limits.connections,
          onRequest: (request, response) => this.#take(request, response, isRemote),
        }),
      );
    }
    this.writer?.start();
    this.session.attach();
    if (!this.#options.keepCapabilities) this.#giveUpCapabilities();
    this.unready = undefined;
    onAttached();
    this.start = this.session.announce();
  }

  /** Takes over what can be changed while it runs. Returns the keys that need a new start. What throws comes before all else. */
  reload(config: Config, secrets: Secrets): string[] {
    const old = this.#config;
    if (this.archive) this.archive.maxBytes = config.history.disk;
    if (secrets.tls) for (const listener of this.#listeners) listener.renew(secrets.tls);
    this.journal.maxBytes = config.history.memory;
    const { listen, token, token_file } = old;
    // Where it listens stays: others could reach it without a token.
    const keepsToken = secrets.token === undefined && !listen.every(isLoopback);
    this.#config = { ...withFixed(old, config), ...(keepsToken && { token, token_file }) };
    if (!keepsToken) this.access.token = secrets.token;
    return [...changedKeys(old, config), ...(keepsToken ? ['token'] : [])];
  }

  /** Detaches, lets every reader have the rest, as long as it takes it, and closes. */
  async close(cause: StopCause): Promise<StopEvent> {
    this.unready = 'about to end';
    return await this.#finish(await this.session.stop(cause));
  }

  /** After a failure. */
  async abandon(cause: StopCause): Promise<StopEvent> {
    this.unready = 'failed';
    const stop = await this.session.abandon(cause);
    await Promise.all(this.forwarders.map((forwarder) => forwarder.end()));
    return await this.#finish(stop);
  }

  async #finish(stop: StopEvent): Promise<StopEvent> {
    this.readers.end();
    const closed = Promise.all(this.#listeners.map((listener) => listener.close()));
    const timer = setTimeout(() => {
      this.#router.abort();
      for (const listener of this.#listeners) listener.destroyConnections();
    }, DRAIN_MS);
    await closed;
    clearTimeout(timer);
    await this.writer?.close();
    this.#lock?.release();
    return stop;
  }

  #take(request: IncomingMessage, response: ServerResponse, isRemote: boolean): void {
    this.#router.handle(request, response, isRemote).catch(() => response.destroy());
  }

  /** That it may do more than it needs does not keep it from serving. */
  #giveUpCapabilities(): void {
    const { note } = this.#options;
    // Files of the history, the socket, and the certificates that are read again.
    const kept = keptWhileTracing({ writesFiles: true, isRoot: process.geteuid?.() === 0 });
    try {
      this.session.giveUpCapabilities(kept | bitsOf(FOR_DOCTOR));
    } catch (error) {
      note(`capabilities were kept: ${(error as Error).message}`);
    }
  }

  #makeSession(): Session {
    const { addon, config, node, note, onError } = this.#options;
    const { capture } = config;
    const filters = resolveFilters(addon, {
      ...{
        reasons: capture.reasons,
        rpfOnly: capture.rpf_only,
        devices: capture.devices,
        netns: capture.netns,
      },
      ...{ expression: capture.expression, namespaces: capture.namespaces, pods: capture.pods },
      ...{ selector: capture.selector, thisPod: capture.this_pod },
    });
    checkPodSources(filters.pods, this.sources);
    const { every, snaplen, interval_ms: intervalMs } = capture;
    return new Session(addon, {
      config: { ...filters.config, ...captureConfig({ every, snaplen, intervalMs }) },
      filters: filters.described,
      reasons: filters.reasonNames,
      node,
      pods: { sources: this.sources, labels: capture.labels },
      podFilter: filters.pods,
      witness: capture.witness,
      makeSink: (clock) => this.#makeSink(clock),
      onNote: note,
      onError,
    });
  }

  #makeSink(clock: Clock): Sink {
    const { node, forwarders } = this.#options;
    const { journal } = this;
    this.forwarders = forwarders.map((open) => open(clock));
    const sink = new JournalSink({ journal, clock, node, onEvent: (event) => this.#see(event) });
    return this.metrics.watch(
      this.forwarders.reduce<Sink>((below, forwarder) => new TeeSink(below, forwarder), sink),
    );
  }

  #see(event: TraceEvent): void {
    if (event.kind === 'incident') this.incidents.take(event);
  }

  #makeMetrics(): Metrics {
    return new Metrics({
      stats: () => this.session.pipeline.capture.stats(),
      sources: () => this.session.pipeline.pods.states,
      sinks: () => ({
        reader: this.readers.lost,
        ...(this.writer && { disk: this.writer.lost }),
        ...Object.fromEntries(this.forwarders.map(({ name, lost }) => [name, lost])),
      }),
      maxSeries: this.#config.limits.series,
    });
  }

  #makeWriter(archive: Archive, epoch: string): ArchiveWriter {
    const cursor = new Cursor(this.journal, this.journal.nextNumber);
    return new ArchiveWriter({ archive, epoch, cursor, bell: this.#bell, note: this.#options.note });
  }
}

/** /v1/doctor tries which programs the kernel takes. */
const FOR_DOCTOR: readonly CapabilityName[] = ['CAP_BPF', 'CAP_PERFMON'];
/** Readers are woken no more often than that, so that a flood with many of them does not become a flood of system calls. */
const MIN_GAP_MS = 2;
const GAP_MS_PER_READER = 0.1;
/** How long readers may take for the rest: service managers and kubelets wait longer before they kill. */
const DRAIN_MS = 5000;
