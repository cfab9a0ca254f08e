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
 * What follows from a flow alone is worked out once and remembered with it; of each further drop only time, count and
 * address are looked at.
 */
import { attributeDevice, isCurrentDevice, type Surroundings } from './attribute/device.js';
import { LinkMap } from './attribute/links.js';
import { Grounds } from './attribute/pods/attribution.js';
import { Pods, type PodsOptions } from './attribute/pods/pods.js';
import { type Batch, Capture } from './capture/capture.js';
import type { TracerError } from './errors.js';
import type { IncidentEvent, LostEvent, Writer } from './events.js';
import { Explainer, type Explanation } from './explain/explain.js';
import { explainMode } from './explain/mode.js';
import { Correlation } from './incident/correlation.js';
import type { Incident } from './incident/incident.js';
import { Incidents } from './incident/incidents.js';
import { Locations } from './names/locations.js';
import { REFUSED_SOURCE, ReasonNames } from './names/reasons.js';
import type { NativeAddon, NativeConfig } from './native.js';
import { Clock, monotonicNs } from './record/clock.js';
import {
  BatchReader,
  type BatchView,
  type DropReader,
  END_OF_BATCH,
  SysctlReader,
  viewOf,
} from './record/decode.js';
import { FLAGS, LOST_WHERE, REASON, RECORD_KIND, ROUTE_CHANGED } from './record/layout.gen.js';
import { CONTEXT_PART, FLOW_PART, PartCache } from './record/part-cache.js';
import type { RouteChangeReader } from './record/route-records.js';
import { Askers } from './routes/askers.js';
import { readRouteChange } from './routes/change.js';
import { Watched } from './routes/watched.js';
import { Settings } from './settings/settings.js';
import { Writers } from './settings/writer.js';
import { type Context, type Flow, MAX_FLOWS, type Sink } from './sink/sink.js';

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
  readonly capture: Capture;
  readonly clock = new Clock();
  readonly sink: Sink;
  readonly counts = { events: 0, emitted: 0, discarded: 0 };
  readonly #addon: NativeAddon;
  readonly #options: PipelineOptions;
  readonly #views: BatchView[];
  readonly #reader = new BatchReader();
  readonly #links = new LinkMap();
  readonly pods: Pods;
  readonly #locations: Locations;
  readonly #contexts: PartCache<MutableContext>;
  readonly #flows: PartCache<MutableFlow>;
  readonly #explainer: Explainer;
  readonly #watched: Watched;
  readonly #askers: Askers;
  readonly #writers = new Writers();
  /** Milliseconds of performance.now() when the batch was opened. */
  #batchMs = 0;
  readonly #settings: Settings;
  readonly #correlation: Correlation;
  #reasons: ReasonNames | undefined;
  /** Batches that are out, the one being read first: as many as the addon has slots. */
  readonly #batches: Batch[] = [];
  #isReading = false;
  /** What sees refused sources, once attached. */
  #refusedHook: string | undefined;

  constructor(addon: NativeAddon, options: PipelineOptions) {
    this.#addon = addon;
    this.#options = options;
    this.#reasons = options.reasons;
    this.capture = new Capture(addon, options.config);
    this.pods = new Pods(options.pods);
    this.#views = this.capture.buffers.map(viewOf);
    this.#locations = new Locations((address) => this.capture.symbol(address));
    this.#explainer = new Explainer({
      addon,
      ownNetns: options.ownNetns,
      ...(options.root !== undefined && { root: options.root }),
      hasSourceReasons: () => this.reasons.find('IP_LOCAL_SOURCE') !== undefined,
      hasSourceHook: () => this.#refusedHook !== undefined,
      watch: options.witness === false ? undefined : (on) => this.capture.watchLookups(on),
    });
    this.#askers = new Askers({
      ownNetns: options.ownNetns,
      now: () => performance.now(),
      executed: (number, netns) => this.#executed(number, netns),
    });
    this.#watched = new Watched({
      watch: (netns, on) => this.capture.watchRoutes(netns, on),
      own: options.ownNetns,
      now: () => performance.now(),
    });
    this.#contexts = new PartCache({
      part: CONTEXT_PART,
      max: MAX_CONTEXTS,
      create: (drop, id) => this.#describeContext(drop, id),
      onClear: () => this.sink.forgetContexts(),
    });
    this.#flows = new PartCache({
      part: FLOW_PART,
      max: MAX_FLOWS,
      create: (drop, id, old) => this.#startFlow(drop, id, old),
      onClear: (flows) => {
        this.#options.onForget?.(flows, (flow) => this.#flows.reader(flow.id));
        this.sink.forgetFlows();
      },
    });
    this.#settings = this.#makeSettings();
    this.#correlation = this.#makeCorrelation();
    this.sink = options.makeSink(this.clock);
    this.sink.onReady = () => this.#pump();
  }

  /** Records that could not be read. */
  get malformed(): number {
    return this.#reader.malformed;
  }

  get reasons(): ReasonNames {
    this.#reasons ??= ReasonNames.read(this.#addon);
    return this.#reasons;
  }

  start(): void {
    for (const netns of (this.#options.config.netns ?? []).slice(0, MAX_BASELINES)) this.#watched.meet(netns);
    this.capture.attach({
      onBatch: (batch) => {
        this.#batches.push(batch);
        this.#pump();
      },
      onError: (error) => this.#options.onError?.(error),
    });
    this.#refusedHook = this.capture.stats().refusedHook;
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
    while (this.#openBatch()) {
      if (!this.#drainBatch()) break;
      this.capture.release(this.#batches.shift() as Batch);
      this.#isReading = false;
      this.#correlation.endOfBatch();
    }
    this.sink.flush();
  }

  #openBatch(): boolean {
    const batch = this.#batches[0];
    if (batch === undefined) return false;
    if (this.#isReading) return true;
    this.#isReading = true;
    this.#batchMs = performance.now();
    this.#reader.open(this.#views[batch.slot] as BatchView, batch.bytes);
    const { wallOffsetNs, timeNs } = this.#reader;
    if (wallOffsetNs !== undefined) this.clock.learn(wallOffsetNs, timeNs);
    return true;
  }

  /** Returns whether the batch is at its end; else the sink is full. */
  #drainBatch(): boolean {
    const reader = this.#reader;
    while (this.sink.ready) {
      const kind = reader.next();
      if (kind === RECORD_KIND.RECORD_DROP) this.#takeDrop(reader.drop);
      else if (kind === END_OF_BATCH) return true;
      else this.#takeOther(kind);
    }
    return false;
  }

  #takeDrop(drop: DropReader): void {
    const { counts } = this;
    if (counts.events === this.#options.limit) {
      counts.discarded += drop.count;
      return;
    }
    const flow = this.#flows.find(drop);
    if (flow.staleAtMs <= this.#batchMs || flow.routesEpoch !== this.#explainer.epoch)
      this.#explainAgain(flow, drop);
    flow.drops += drop.count;
    if (flow.linkEpoch !== this.#links.epoch) this.#followLinks(flow, drop);
    if (flow.podEpoch !== this.pods.epoch) this.#attribute(flow, drop);
    if (flow.epoch !== this.#correlation.epoch) this.#join(flow, drop);
    if (flow.incident) this.#countIn(flow.incident, drop);
    this.sink.drop(drop, flow);
    counts.emitted += drop.count;
    counts.events++;
    if (counts.events === this.#options.limit) this.#options.onLimit?.();
  }

  #takeOther(kind: number): void {
    if (kind === RECORD_KIND.RECORD_LOST) this.sink.event(this.#lostEvent());
    else if (kind === RECORD_KIND.RECORD_SYSCTL) this.#correlation.takeWrite(this.#reader.sysctl);
    else if (kind === RECORD_KIND.RECORD_NETCONF) this.#correlation.takeNetconf(this.#reader.netconf);
    else if (kind === RECORD_KIND.RECORD_ROUTE_CHANGE) this.#takeRouteChange(this.#reader.routeChange);
    else this.#links.learn(this.#reader.link);
  }

  /** Pods come and go all the time, and their devices with them: only what became another one is worked out again. */
  #followLinks(flow: MutableFlow, drop: DropReader): void {
    const { context } = flow;
    flow.linkEpoch = this.#links.epoch;
    if (context.linkEpoch === flow.linkEpoch) return;
    context.linkEpoch = flow.linkEpoch;
    if (!isCurrentDevice(context.device, this.#surroundings))
      context.device = attributeDevice(drop, this.#surroundings);
  }

  /** Whose drops they are. What is learned later comes into later events. */
  #attribute(flow: MutableFlow, drop: DropReader): void {
    const { grounds, context } = flow;
    if (flow.podEpoch < 0 || !this.pods.isCurrent(grounds)) {
      const timeMs = this.clock.millis(drop.timeLow, drop.timeHigh);
      const { pod } = flow.attribution;
      flow.attribution = this.pods.attribute(drop, context, timeMs, grounds);
      if (flow.attribution.pod !== pod) flow.incident?.meetPod(flow.attribution.pod);
    }
    flow.podEpoch = grounds.isLasting ? this.pods.epoch : -1;
  }

  #executed(number: number, netns: number): Writer | undefined {
    const bytes = this.capture.executed(number, netns);
    if (bytes === undefined) return undefined;
    const record = new SysctlReader();
    record.view = viewOf(bytes);
    return this.#writers.describe(record);
  }

  #takeRouteChange(record: RouteChangeReader): void {
    const { netns, what } = record;
    if (what === ROUTE_CHANGED.CHANGED_UNWATCHED) this.#watched.forget(netns);
    this.#explainer.forgetRoutes(netns);
    const change = readRouteChange(record, (portId) => this.#askers.find(portId, netns));
    if (change) this.#correlation.takeRouteChange(change);
  }

  #explainAgain(flow: MutableFlow, drop: DropReader): void {
    Object.assign(flow, this.#explain(drop, flow.context));
    flow.routesEpoch = this.#explainer.epoch;
  }

  #explain(drop: DropReader, context: Context): Explanation {
    const explanation = this.#explainer.explain(drop, context);
    if (explanation.staleAtMs !== Number.POSITIVE_INFINITY) this.#watched.meet(drop.netns);
    return explanation;
  }

  #startFlow(drop: DropReader, id: number, old: MutableFlow | undefined): MutableFlow {
    const context = this.#contexts.find(drop);
    const fresh = {
      ...this.#explain(drop, context),
      routesEpoch: this.#explainer.epoch,
      context,
      drops: 0,
      attribution: NOBODY,
      incident: undefined,
      epoch: -1,
      linkEpoch: -1,
      podEpoch: -1,
    };
    return old === undefined ? { id, grounds: new Grounds(), ...fresh } : Object.assign(old, fresh);
  }

  /** Finds out which incident the drops of a flow belong to, if any. */
  #join(flow: MutableFlow, drop: DropReader): void {
    const { device, reason, mode } = flow.context;
    if (device.name === undefined || reason === undefined || drop.family !== 4) {
      flow.epoch = this.#correlation.epoch;
      return;
    }
    const { ailment, rpf } = flow;
    const refusal = { netns: drop.netns, device: device.name, reason, mode, verdict: rpf?.verdict, ailment };
    flow.incident = this.#correlation.join(refusal, wholeNs(drop.firstLow, drop.firstHigh), drop.netnsCookie);
    flow.epoch = this.#correlation.epoch;
    const source = () => (flow.context.aggregate === 'device' ? undefined : drop.src);
    const dropNs = wholeNs(drop.timeLow, drop.timeHigh);
    flow.incident?.enter(refusal, { source, ailment, dropNs, pod: flow.attribution.pod });
  }

  #countIn(incident: Incident, drop: DropReader): void {
    incident.take(drop.count, drop.timeLow, drop.timeHigh);
    if (!incident.isTold) this.#correlation.announce();
  }

  #makeSettings(): Settings {
    return new Settings({
      addon: this.#addon,
      node: this.#options.node,
      format: (timeNs) => this.clock.formatNs(timeNs),
      now: monotonicNs,
      lostWrites: () => this.#lostWrites(),
      netns: this.#options.config.netns,
    });
  }

  #makeCorrelation(): Correlation {
    const { node, ownNetns, config } = this.#options;
    const incidents = new Incidents({
      settings: this.#settings,
      node,
      ownNetns,
      format: (timeNs) => this.clock.formatNs(timeNs),
      now: monotonicNs,
      place: (netns) => this.#explainer.place(netns),
      hints: (key, value, netns) => this.#explainer.hints(key, value, netns),
      sourceOf: (writer, key, value) => this.#explainer.sourceOf(writer, key, value),
      undoing: (settings, netns) => this.#explainer.undoing(settings, netns),
      reverseRoute: (passage) => this.#explainer.reverseRoute(passage),
      intervalMs: config.every ? 0 : (config.intervalMs ?? DEFAULT_INTERVAL_MS),
    });
    return new Correlation({
      settings: this.#settings,
      incidents,
      emit: (event) => {
        if (event.kind === 'incident') this.#options.onIncident?.(event);
        this.sink.event(event);
      },
      isIdle: () => this.sink.ready && this.#batches.length === 0,
      onTold: () => this.sink.flush(),
      now: monotonicNs,
      lostWrites: () => this.#lostWrites(),
      lostEvent: (count) => this.#lostWritesEvent(count),
    });
  }

  get #surroundings(): Surroundings {
    return { ownNetns: this.#options.ownNetns, links: this.#links };
  }

  /** The stages between the record and the sinks. */
  #describeContext(drop: DropReader, id: number): MutableContext {
    const reason = this.#nameReason(drop);
    return {
      id,
      aggregate: aggregateOf(drop),
      ...reason,
      ...this.#place(drop),
      device: attributeDevice(drop, this.#surroundings),
      mode: explainMode(drop),
      isRefusedSource: REFUSED_SOURCE.includes(reason.reason ?? ''),
      linkEpoch: this.#links.epoch,
    };
  }

  #place(drop: DropReader): Pick<Context, 'location' | 'hook'> {
    if (drop.reason === REASON.REASON_ARP_REFUSED)
      return { location: ARP_LOCATION, hook: this.#refusedHook ?? ARP_LOCATION };
    return { location: this.#locations.name(drop.location), hook: 'tp_btf/kfree_skb' };
  }

  #nameReason(drop: DropReader): Pick<Context, 'reason' | 'reason_unknown'> {
    if (drop.reason !== 0) return { reason: this.reasons.name(drop.reason), reason_unknown: undefined };
    return { reason: undefined, reason_unknown: 'the kernel gives none here' };
  }

  #lostEvent(): LostEvent {
    const { lost } = this.#reader;
    const isRing = lost.where === LOST_WHERE.LOST_RING;
    return {
      v: 1,
      kind: 'lost',
      time: this.clock.format(lost.timeLow, lost.timeHigh),
      node: this.#options.node,
      where: isRing ? 'ring' : 'recursion',
      count: lost.count,
      ...(isRing && lost.reason !== 0 && { reason: this.reasons.name(lost.reason) }),
      ...(lost.netns !== 0 && { netns: lost.netns }),
    };
  }

  #lostWrites(): number {
    return Number(this.capture.stats().sysctlLost);
  }

  #lostWritesEvent(count: number): LostEvent {
    return {
      v: 1,
      kind: 'lost',
      time: this.clock.formatNs(monotonicNs()),
      node: this.#options.node,
      where: 'sysctl',
      count,
    };
  }
}

type Mutable<T> = { -readonly [member in keyof T]: T[member] };

type MutableFlow = Mutable<Omit<Flow, 'context'> & Explanation> & {
  context: MutableContext;
  /** What the explainer's was when it was asked. */
  routesEpoch: number;
  /** What the correlation's was when the incident of the flow was asked for. */
  epoch: number;
  /** What that of the devices was when the context was looked at. */
  linkEpoch: number;
  /** What that of the pods was when the answer was known to be right; below 0: to be asked for. */
  podEpoch: number;
  readonly grounds: Grounds;
};

type MutableContext = Mutable<Context> & {
  readonly isRefusedSource: boolean;
  linkEpoch: number;
};

function wholeNs(low: number, high: number): bigint {
  return (BigInt(high) << 32n) | BigInt(low);
}

function aggregateOf(drop: DropReader): Context['aggregate'] {
  if (!(drop.flags & FLAGS.AGGREGATE)) return undefined;
  return drop.flags & FLAGS.COARSE ? 'device' : 'flow';
}

const NOBODY: Flow['attribution'] = {};
/** The function that is called for it; nothing is freed there. */
const ARP_LOCATION = 'ip_handle_martian_source';
const MAX_CONTEXTS = 1024;
const MAX_BASELINES = 16;
/** The core's own default, native/core/rpf_core.h. */
export const DEFAULT_INTERVAL_MS = 1000;
