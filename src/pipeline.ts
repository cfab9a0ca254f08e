/*
 * The road of a drop through the program, stage by stage. Each stage is a folder and imports only what stands before it:
 *
 *   capture/    ring buffer -> batches of records          nothing is lost here: a batch that is out holds the ring
 *   record/     bytes -> typed records, packets, times     what cannot be read is counted as malformed
 *   names/      numbers -> reasons and symbols of this kernel
 *   attribute/  record -> device and its role, pod and the other end
 *   settings/   record -> who changed which setting, and what that did
 *   routes/     record -> what became of routes, rules, addresses and devices
 *   explain/    record -> why the source was refused, the route back to it, what ends that
 *   incident/   drops and changes -> incidents
 *   sink/       event -> NDJSON, table, the program's own queue
 *
 * What follows from a flow alone is worked out once and remembered with it (flows.ts); of each further drop only time, count
 * and address are looked at.
 */
import { Attributor } from './attribute/attributor.js';
import { Pods, type PodsOptions } from './attribute/pods/pods.js';
import { Capture } from './capture/capture.js';
import type { TracerError } from './errors.js';
import type { IncidentEvent, LostEvent } from './events.js';
import { Explainer } from './explain/explain.js';
import { Flows, type TracedFlow } from './flows.js';
import { Correlation } from './incident/correlation.js';
import { joinIncident } from './incident/membership.js';
import { DropNames } from './names/drop-names.js';
import type { ReasonNames } from './names/reasons.js';
import type { NativeAddon, NativeConfig } from './native.js';
import { Clock, monotonicNs } from './record/clock.js';
import { type DropReader, END_OF_BATCH } from './record/decode.js';
import { RECORD_KIND } from './record/layout.gen.js';
import { Records } from './record/records.js';
import type { RouteChangeReader } from './record/route-records.js';
import { RouteChanges } from './routes/route-changes.js';
import { Executed } from './settings/executed.js';
import { Settings } from './settings/settings.js';
import { Writers } from './settings/writer.js';
import type { Flow, Sink } from './sink/sink.js';

export interface PipelineOptions {
  readonly config: NativeConfig;
  readonly node: string;
  readonly ownNetns: number | undefined;
  readonly makeSink: (clock: Clock) => Sink;
  /** Root of the file system in which settings and names of network namespaces are looked for; default /. */
  readonly root?: string;
  /** Whether the kernel’s route lookups may be watched for some seconds; default true. */
  readonly witness?: boolean | undefined;
  /** Known already when drops are filtered by reason. */
  readonly reasons?: ReasonNames | undefined;
  /** Who knows pods; nobody when left out. */
  readonly pods?: PodsOptions | undefined;
  /** Drop events to emit; those that come later are counted as discarded. */
  readonly limit?: number | undefined;
  /** The limit is reached. */
  readonly onLimit?: () => void;
  /** Capturing had to stop. */
  readonly onError?: (error: TracerError) => void;
  /** Flows that are about to be forgotten, with their drops. recordOf gives what their records have in common. */
  readonly onForget?: (flows: readonly Flow[], recordOf: (flow: Flow) => DropReader) => void;
  /** Something is told of an incident. */
  readonly onIncident?: (incident: IncidentEvent) => void;
}

/** From the kernel to one sink. */
export class Pipeline {
  readonly clock = new Clock();
  readonly capture: Capture;
  readonly pods: Pods;
  readonly sink: Sink;
  readonly counts = { events: 0, emitted: 0, discarded: 0 };
  readonly #options: PipelineOptions;
  readonly #records: Records;
  readonly #names: DropNames;
  readonly #attributor: Attributor;
  readonly #settings: Settings;
  readonly #routes: RouteChanges;
  readonly #explainer: Explainer;
  readonly #flows: Flows;
  readonly #correlation: Correlation;

  constructor(addon: NativeAddon, options: PipelineOptions) {
    const { config, node, ownNetns, root } = options;
    const { clock } = this;
    const capture = new Capture(addon, config);
    const format = (timeNs: bigint) => clock.formatNs(timeNs);
    const refusedHook = () => capture.refusedHook;
    const lostWrites = () => Number(capture.stats().sysctlLost);
    this.#options = options;
    this.capture = capture;
    this.#records = new Records(capture, clock);
    this.#names = new DropNames({
      addon,
      symbol: (address) => capture.symbol(address),
      refusedHook,
      reasons: options.reasons,
    });
    this.pods = new Pods(options.pods);
    this.#attributor = new Attributor({ pods: this.pods, ownNetns, clock });
    const writers = new Writers({ executed: new Executed(capture) });
    const { netns } = config;
    this.#settings = new Settings({ addon, node, format, now: monotonicNs, lostWrites, netns, writers });
    this.#routes = new RouteChanges(capture, ownNetns);
    this.#explainer = new Explainer({
      addon,
      ownNetns,
      ...(root !== undefined && { root }),
      hasSourceReasons: () =>
        this.reasons.find('IP_LOCAL_SOURCE') !== undefined && config.kfreeSkbArguments !== 2,
      hasSourceHook: () => refusedHook() !== undefined,
      watch: options.witness === false ? undefined : (on) => capture.watchLookups(on),
    });
    this.#flows = new Flows({
      names: this.#names,
      attributor: this.#attributor,
      explainer: this.#explainer,
      routes: this.#routes,
      onForgetContexts: () => this.sink.forgetContexts(),
      onForgetFlows: (flows, recordOf) => {
        options.onForget?.(flows, recordOf);
        this.sink.forgetFlows();
      },
    });
    this.#correlation = new Correlation({
      settings: this.#settings,
      explainer: this.#explainer,
      node,
      ownNetns,
      format,
      now: monotonicNs,
      intervalMs: config.every ? 0 : (config.intervalMs ?? DEFAULT_INTERVAL_MS),
      emit: (event) => {
        if (event.kind === 'incident') options.onIncident?.(event);
        this.sink.event(event);
      },
      isIdle: () => this.sink.ready && this.#records.isEmpty,
      onTold: () => this.sink.flush(),
      lostWrites,
    });
    this.sink = options.makeSink(clock);
    this.sink.onReady = () => this.#pump();
  }

  /** Records that could not be read. */
  get malformed(): number {
    return this.#records.reader.malformed;
  }

  get reasons(): ReasonNames {
    return this.#names.reasons;
  }

  start(): void {
    for (const netns of (this.#options.config.netns ?? []).slice(0, MAX_BASELINES)) this.#routes.meet(netns);
    this.capture.attach({
      onBatch: (batch) => {
        this.#records.add(batch);
        this.#pump();
      },
      onError: (error) => this.#options.onError?.(error),
    });
  }

  /** Reads what the settings are, so that a change shows even where no write is seen. */
  lookAtSettings(): void {
    const { config, ownNetns } = this.#options;
    const watched = config.netns ?? (ownNetns === undefined ? [] : [ownNetns]);
    for (const netns of watched.slice(0, MAX_BASELINES)) this.#settings.baseline(netns);
  }

  /** What is known of changes and incidents and was not told yet goes to the sink. No record comes after this. */
  finish(): void {
    this.#explainer.stop();
    this.#correlation.finish();
  }

  /** Nothing more is told. */
  abandon(): void {
    this.#explainer.stop();
    this.#correlation.abandon();
  }

  /** Gives out the drops of the flows that are still remembered. */
  settle(): void {
    this.#flows.clear();
  }

  /** Moves records to the sink as long as it takes them. Called when a batch comes and when the sink is ready again. */
  #pump(): void {
    while (this.#records.open()) {
      if (!this.#drainBatch()) break;
      this.#records.release();
      this.#correlation.endOfBatch();
    }
    this.sink.flush();
  }

  /** Returns whether the batch is at its end; else the sink is full. */
  #drainBatch(): boolean {
    const { reader } = this.#records;
    while (this.sink.ready) {
      const kind = reader.next();
      if (kind === RECORD_KIND.RECORD_DROP) this.#takeDrop(reader.drop);
      else if (kind === END_OF_BATCH) return true;
      else this.#takeOther(kind);
    }
    return false;
  }

  /** The road: each stage is asked again only when what it said of the flow may have become another thing. */
  #takeDrop(drop: DropReader): void {
    const { counts } = this;
    if (counts.events === this.#options.limit) {
      counts.discarded += drop.count;
      return;
    }
    const flow = this.#flows.find(drop);
    if (flow.staleAtMs <= this.#records.openedMs || flow.routesEpoch !== this.#explainer.epoch)
      this.#flows.explainAgain(flow, drop);
    flow.drops += drop.count;
    if (flow.linkEpoch !== this.#attributor.linkEpoch) this.#attributor.followLinks(flow, drop);
    if (flow.podEpoch !== this.pods.epoch) this.#attribute(flow, drop);
    if (flow.epoch !== this.#correlation.epoch) joinIncident(this.#correlation, flow, drop);
    if (flow.incident) this.#correlation.count(flow.incident, drop);
    this.sink.drop(drop, flow);
    counts.emitted += drop.count;
    counts.events++;
    if (counts.events === this.#options.limit) this.#options.onLimit?.();
  }

  #attribute(flow: TracedFlow, drop: DropReader): void {
    const { pod } = flow.attribution;
    this.#attributor.attribute(flow, drop);
    if (flow.attribution.pod !== pod) flow.incident?.meetPod(flow.attribution.pod);
  }

  #takeOther(kind: number): void {
    const { reader } = this.#records;
    if (kind === RECORD_KIND.RECORD_LOST) this.sink.event(this.#lostEvent());
    else if (kind === RECORD_KIND.RECORD_SYSCTL) this.#correlation.takeWrite(reader.sysctl);
    else if (kind === RECORD_KIND.RECORD_NETCONF) this.#correlation.takeNetconf(reader.netconf);
    else if (kind === RECORD_KIND.RECORD_ROUTE_CHANGE) this.#takeRouteChange(reader.routeChange);
    else this.#attributor.learn(reader.link);
  }

  #takeRouteChange(record: RouteChangeReader): void {
    this.#explainer.forgetRoutes(record.netns);
    const change = this.#routes.take(record);
    if (change) this.#correlation.takeRouteChange(change);
  }

  #lostEvent(): LostEvent {
    const { lost } = this.#records.reader;
    const time = this.clock.format(lost.timeLow, lost.timeHigh);
    return { v: 1, kind: 'lost', time, node: this.#options.node, ...this.#names.ofLost(lost) };
  }
}

const MAX_BASELINES = 16;
/** The core's own default, native/core/rpf_core.h. */
export const DEFAULT_INTERVAL_MS = 1000;
