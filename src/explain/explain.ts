import { POD_ROLES } from '../attribute/roles.js';
import type { Device, Hint, Rpf, RpfMode, Writer } from '../events.js';
import type { NativeAddon } from '../native.js';
import type { DropReader } from '../record/decode.js';
import { FLAGS, KNOBS, REASON } from '../record/layout.gen.js';
import { Arming } from './arming.js';
import { checkSource, type ReverseRoute, type SourceState, type Switch } from './check.js';
import { type Ailment, type Assignment, findCure, isForSender, SENDER_ONLY, settingKey } from './fix.js';
import { findHints } from './hints.js';
import { type CommandPlace, findPlace } from './namespace.js';
import { isNetfilterDrop, Netfilter } from './netfilter/netfilter.js';
import { findPersistence, findSource, givenBy, type PersistedSetting, type Persistence } from './persist.js';
import { type Evidence, type Passage, ReverseRoutes } from './route.js';
import type { Scene } from './scene.js';
import { sentence } from './sentence.js';
import {
  classify,
  type Facts,
  groundsOf,
  kindOf,
  needsRoute,
  type SourceHook,
  type Verdict,
} from './verdict.js';
import { SeenLookups } from './witness.js';

export type { Scene } from './scene.js';

export interface ExplainerOptions {
  readonly addon: Pick<NativeAddon, 'route' | 'rules' | 'ruleset'>;
  readonly ownNetns: number | undefined;
  /** Whether the kernel has reasons of their own for refused sources. */
  readonly hasSourceReasons: () => boolean;
  /** Whether a hook sees refused sources. */
  readonly hasSourceHook: () => boolean;
  readonly now?: () => number;
  /** Root of the file system that settings are looked for in. */
  readonly root?: string;
  /** Begins or ends to watch the kernel’s route lookups; absent: they are not watched. May throw. */
  readonly watch?: ((on: boolean) => void) | undefined;
}

/** What is said about a flow, and when it should be asked again: routes move while settings and packets stay the same. */
export interface Explanation {
  readonly rpf: Rpf | undefined;
  /** What a cure for it and for others has to meet; undefined where no setting decides. */
  readonly ailment: Ailment | undefined;
  /** Milliseconds of performance.now(); Infinity where nothing can change it. */
  readonly staleAtMs: number;
}

/** Says of each flow why its source was refused, and what ends that. */
export class Explainer {
  readonly #options: ExplainerOptions;
  readonly #routes: ReverseRoutes;
  readonly #seen = new SeenLookups();
  readonly #arming: Arming | undefined;
  readonly #netfilter: Netfilter;
  /** What is said of drops by netfilter, by its text. */
  readonly #said = new Map<string, Rpf>();
  readonly #known = new Map<string, Known>();
  readonly #places: Remembered<number, CommandPlace>;
  readonly #persisted: Remembered<string, Persistence>;
  readonly #plain = new WeakMap<Scene, Rpf>();
  readonly #crowds = new Map<Scene, Explanation>();
  readonly #now: () => number;
  /** Another number when flows whose route was asked for have to be explained again. */
  epoch = 0;
  #secondEndMs = Number.NEGATIVE_INFINITY;
  /** Flows, and of these sources that needed words of their own, in this second. */
  #explained = 0;
  #composed = 0;

  constructor(options: ExplainerOptions) {
    const { now = () => performance.now(), ownNetns, root } = options;
    this.#options = options;
    this.#now = now;
    this.#routes = new ReverseRoutes({ addon: options.addon, now });
    this.#netfilter = new Netfilter({
      addon: options.addon,
      routes: this.#routes,
      hasSourceReasons: options.hasSourceReasons,
      now,
    });
    this.#arming = options.watch && new Arming({ watch: options.watch, now });
    this.#places = new Remembered((netns) => findPlace(netns, ownNetns, root), now);
    this.#persisted = new Remembered((key) => findPersistence([key], root), now);
  }

  /** Route lookups are not watched any more. */
  stop(): void {
    this.#arming?.stop();
  }

  /** Routes, rules, addresses or devices of a network namespace have changed. */
  forgetRoutes(netns: number): void {
    this.#routes.forget(netns);
    this.#seen.forget(netns);
    this.#crowds.clear();
    this.epoch++;
  }

  /** What there is now. */
  reverseRoute(passage: Passage): Evidence {
    return this.#routes.find(passage).evidence;
  }

  /** As long as nothing has changed, the same object comes back. */
  explain(drop: DropReader, scene: Scene): Explanation {
    const { mode } = scene;
    if (isNetfilterDrop(scene) && hasAddresses(drop)) return this.#explainNetfilter(drop, scene);
    if (mode === undefined) return explainWithoutMode(drop);
    if (this.#isCrowded()) return this.#explainCrowd(drop, scene, mode);
    const facts = this.#basicFacts(drop, scene, mode);
    if (!needsRoute(facts)) return this.#explainAlone(facts, scene);
    const { netns, src, dst } = drop;
    const markUsed = markOf(drop, mode);
    const passage = { netns, src, dst, mark: markUsed };
    const { evidence: asked, staleAtMs } = this.#routes.find(passage);
    const evidence = this.#seen.refine(passage, asked, drop);
    if (evidence.route.kind !== 'unknown' && evidence.route.evidence === 'kernel') this.#arming?.seen();
    else this.#arming?.want();
    const withoutMark = markUsed === 0 ? undefined : this.#routes.find({ netns, src, dst, mark: 0 }).evidence;
    // In a flood of forged sources most are unknown: they share what is said of them.
    const whose = evidence.route.kind === 'unknown' ? kindOf(dst) : src;
    const key = `${scene.id} ${whose} ${markUsed} ${drop.flags & FLAGS.SOURCE_REFUSED}`;
    const known = this.#known.get(key);
    if (known?.scene === scene && known.evidence === evidence && known.withoutMark === withoutMark)
      return { ...known.said, staleAtMs };
    if (++this.#composed > MAX_COMPOSED) return this.#explainCrowd(drop, scene, mode);
    const said = this.#compose(drop, scene, facts, evidence, withoutMark);
    this.#remember(key, { scene, evidence, withoutMark, said });
    return { ...said, staleAtMs };
  }

  /** Where commands for a network namespace have to run. */
  place(netns: number): CommandPlace {
    return this.#places.get(netns);
  }

  /** The lines of files that will set these to other values. They are applied to no network namespace but our own. */
  undoing(settings: readonly Assignment[], netns: number): Undoing {
    if (netns !== this.#options.ownNetns || settings.length === 0) return {};
    const found = settings.map((one) => ({
      one,
      ...this.#persisted.get(settingKey(one.scope, one.setting)),
    }));
    const persisted = found.flatMap(({ one, lines }) =>
      lines.filter((line) => givenBy(line) !== String(one.value)),
    );
    const unknown = [...new Set(found.flatMap((one) => one.unknown))];
    const more = unknown.length - MAX_UNKNOWN;
    return {
      ...(persisted.length > 0 && { persisted }),
      ...(unknown.length > 0 && {
        persisted_unknown: `${unknown.slice(0, MAX_UNKNOWN).join('; ')}${more > 0 ? ` and ${more} more` : ''}`,
      }),
    };
  }

  /** The line that a writer took a value from, as its command line tells. */
  sourceOf(writer: Writer, key: string, value: number): PersistedSetting | undefined {
    return findSource(writer, key, value, this.#options.root);
  }

  /** What may have to do with a value that was there already. */
  hints(key: string, value: number, netns: number): Hint[] {
    return netns === this.#options.ownNetns ? findHints(key, value, this.#options.root) : [];
  }

  #explainNetfilter(drop: DropReader, scene: Scene): Explanation {
    const crowded = this.#isCrowded();
    const { rpf, route, staleAtMs } = this.#netfilter.explain(drop, scene, {
      place: () => this.#places.get(drop.netns),
      isPodDevice: isPodDevice(scene.device, scene.mode),
      kernelAccepts: (hasOwnRoute) => this.#kernelAccepts(drop, scene, hasOwnRoute),
    });
    // One's own words only for so many sources: a flood must not cost memory.
    if (rpf.explanation !== undefined && (crowded || ++this.#composed > MAX_COMPOSED)) {
      const { verdict, confidence, confidence_why, rule } = rpf;
      const inBrief = { verdict, confidence, confidence_why, mode: scene.mode, rule };
      return { rpf: this.#unify(inBrief), ailment: undefined, staleAtMs: this.#secondEndMs };
    }
    const { rule, explanation, fix, fix_unknown, fix_where, ...verdict } = rpf;
    const how = { mode: scene.mode, rule, ...(route && routeMembers(route)) };
    const whole = { ...verdict, ...how, explanation, fix, fix_unknown, fix_where };
    return { rpf: this.#unify(whole), ailment: undefined, staleAtMs };
  }

  /** Whether the kernel’s own check would let the source pass behind netfilter; what is not known is no obstacle. */
  #kernelAccepts(drop: DropReader, { mode, device }: Scene, hasOwnRoute: boolean): boolean {
    if (mode === undefined || kindOf(drop.src) !== 'ordinary') return true;
    const { netns, src, dst, mark, ifindex } = drop;
    const passage = { netns, src, dst, mark: mode.src_valid_mark ? mark : 0 };
    const { route, customRules } = this.#routes.find(passage).evidence;
    if (route.kind === 'unknown') return true;
    const own = hasOwnRoute && route.kind === 'found' ? { ...route, hops: [ifindex] } : route;
    return checkSource({ ...stateOf(drop, mode, device, customRules), route: own }) === 'accepted';
  }

  /** The same object for the same words. */
  #unify(rpf: Rpf): Rpf {
    const key = JSON.stringify(rpf);
    const known = this.#said.get(key);
    if (known) return known;
    if (this.#said.size === MAX_KNOWN) this.#said.clear();
    this.#said.set(key, rpf);
    return rpf;
  }

  /** Whether this second has had its share of flows that are explained one by one. */
  #isCrowded(): boolean {
    const now = this.#now();
    if (now >= this.#secondEndMs) {
      this.#secondEndMs = now + SECOND_MS;
      this.#explained = 0;
      this.#composed = 0;
      this.#crowds.clear();
    }
    return ++this.#explained > MAX_EXPLAINED;
  }

  /** One explanation for all flows of a scene, without a word of their addresses: a flood must not cost memory. */
  #explainCrowd(drop: DropReader, scene: Scene, mode: RpfMode): Explanation {
    const known = this.#crowds.get(scene);
    if (known) return known;
    const facts = this.#basicFacts(drop, scene, mode);
    if (!needsRoute(facts)) return this.#explainAlone(facts, scene);
    const said = this.#compose(drop, scene, facts, CROWD, undefined);
    const explanation = { ...said, staleAtMs: this.#secondEndMs };
    this.#crowds.set(scene, explanation);
    return explanation;
  }

  #basicFacts(drop: DropReader, scene: Scene, mode: RpfMode): Omit<Facts, 'route' | 'state'> {
    const addresses = hasAddresses(drop) ? { src: drop.src, dst: drop.dst } : {};
    return {
      reason: scene.reason,
      hasSourceReasons: this.#options.hasSourceReasons(),
      location: scene.location,
      hook: this.#options.hasSourceHook() ? hookOf(drop) : undefined,
      mode,
      packet: { ...addresses, mark: drop.mark },
    };
  }

  /** What needs no route: other drops, and sources that are refused before any route is looked at. */
  #explainAlone(basic: Omit<Facts, 'route' | 'state'>, scene: Scene): Explanation {
    const route = basic.packet.src === undefined ? SOURCE_UNKNOWN : NOT_LOOKED_UP;
    const facts = { ...basic, route, state: NO_STATE };
    const verdict = classify(facts);
    const staleAtMs = Number.POSITIVE_INFINITY;
    const plain = this.#plain.get(scene);
    if (verdict.verdict === 'not_rpf' && plain) return { rpf: plain, ailment: undefined, staleAtMs };
    const explanation = sentence(facts, verdict, scene.device.name ?? 'the device');
    const fix_unknown = isForSender(verdict.verdict) ? SENDER_ONLY : undefined;
    const rpf: Rpf = { ...verdict, mode: basic.mode, explanation, fix_unknown };
    if (verdict.verdict === 'not_rpf') this.#plain.set(scene, rpf);
    return { rpf, ailment: undefined, staleAtMs };
  }

  #compose(
    drop: DropReader,
    scene: Scene,
    basic: Omit<Facts, 'route' | 'state'>,
    { route, customRules }: Evidence,
    withoutMark: Evidence | undefined,
  ): Said {
    const state = stateOf(drop, basic.mode, scene.device, customRules);
    const verdict = classify({ ...basic, route, state });
    const grounds = groundsFor(verdict, { ...basic, route, state });
    const device = scene.device.name ?? '';
    if (verdict.verdict === 'not_rpf') return { rpf: { ...verdict, mode: basic.mode }, ailment: undefined };
    const named = route.kind === 'unknown' ? { mark: basic.packet.mark } : basic.packet;
    const place = this.#places.get(drop.netns);
    const ailment: Ailment = {
      verdict: grounds.verdict,
      isByFilter: basic.reason === 'IP_RPFILTER' || isFilter(grounds.verdict),
      src: drop.src,
      passage: { netns: drop.netns, src: drop.src, dst: drop.dst, mark: markOf(drop, basic.mode) },
      device,
      isPodDevice: isPodDevice(scene.device, basic.mode),
      state,
      srcValidMark: knobs(drop, KNOBS.SRC_VALID_MARK_ALL, KNOBS.SRC_VALID_MARK_DEVICE),
      route: refusing(route, state),
      routeWithoutMark: withoutMark?.route,
    };
    const { settings, ...fix } = findCure(ailment, place);
    const rpf: Rpf = {
      ...verdict,
      mode: basic.mode,
      ...routeMembers(route),
      explanation: sentence({ ...basic, packet: named, route, state }, grounds, device),
      fix: fix.fix && [...fix.fix],
      fix_unknown: fix.fix_unknown,
      fix_where: fix.fix && place.where,
      ...this.undoing(settings, drop.netns),
    };
    return { rpf, ailment };
  }

  #remember(key: string, known: Known): void {
    if (this.#known.size === MAX_KNOWN) this.#known.clear();
    this.#known.set(key, known);
  }
}

interface Known {
  readonly scene: Scene;
  readonly evidence: Evidence;
  readonly withoutMark: Evidence | undefined;
  readonly said: Said;
}

/** Files that undo a fix, and those of which nobody can say. */
export type Undoing = Pick<Rpf, 'persisted' | 'persisted_unknown'>;

type Said = Omit<Explanation, 'staleAtMs'>;

const NOTHING_TO_SAY: Explanation = {
  rpf: undefined,
  ailment: undefined,
  staleAtMs: Number.POSITIVE_INFINITY,
};

/** The mark that the source is looked up with. */
function markOf({ mark }: DropReader, { src_valid_mark }: RpfMode): number {
  return src_valid_mark ? mark : 0;
}

/** A way back that the kernel would have accepted is not the one that it found. */
function refusing(route: ReverseRoute, state: Omit<SourceState, 'route'>): ReverseRoute {
  if (route.kind === 'unknown' || checkSource({ ...state, route }) !== 'accepted') return route;
  return { kind: 'unknown', why: 'the one that is found now is none that the kernel refuses' };
}

/** What a verdict rests on: of an ARP request the check of its source, else itself. */
function groundsFor(verdict: Verdict, facts: Facts): Verdict {
  if (verdict.verdict !== 'arp_refused') return verdict;
  const grounds = groundsOf(facts);
  if (grounds !== undefined) return { verdict: grounds };
  const why =
    facts.route.kind === 'unknown' ? facts.route.why : 'the route back has changed since, or is not certain';
  return { verdict: undefined, verdict_unknown: why };
}

function isFilter(verdict: Verdict['verdict']): boolean {
  return verdict === 'strict_mismatch' || verdict === 'unnumbered_mismatch' || verdict === 'no_reverse_route';
}

function hookOf({ flags, reason }: DropReader): SourceHook {
  return { refused: (flags & FLAGS.SOURCE_REFUSED) !== 0, byFilter: reason === REASON.REASON_RPFILTER };
}

/** IPv6 has no rp_filter, so none refuses its sources. */
function explainWithoutMode(drop: DropReader): Explanation {
  return hasAddresses(drop) && drop.family === 6 ? WITHOUT_FILTER : NOTHING_TO_SAY;
}

function hasAddresses({ flags }: DropReader): boolean {
  return (flags & (FLAGS.L3 | FLAGS.COARSE)) === FLAGS.L3;
}

function stateOf(
  drop: DropReader,
  mode: RpfMode,
  device: Device,
  customRules: boolean,
): Omit<SourceState, 'route'> {
  return {
    all: mode.all,
    device: mode.device,
    acceptLocal: knobs(drop, KNOBS.ACCEPT_LOCAL_ALL, KNOBS.ACCEPT_LOCAL_DEVICE),
    unnumbered: mode.unnumbered,
    ifindex: drop.ifindex,
    isLoopback: device.role === 'loopback',
    customRules,
  };
}

function knobs(drop: DropReader, all: number, device: number): Switch {
  return { all: (drop.knobs & all) !== 0, device: (drop.knobs & device) !== 0 };
}

/** An uplink may be one end of a pair too, but it has an address. */
function isPodDevice({ role, kind }: Device, mode: RpfMode | undefined): boolean {
  return POD_ROLES.has(role) || (mode?.unnumbered === true && (kind === 'veth' || kind === 'netkit'));
}

/** The way back as events have it. */
export function routeMembers(route: ReverseRoute): Pick<Rpf, 'reverse_route' | 'reverse_route_unknown'> {
  if (route.kind === 'unknown') return { reverse_route_unknown: route.why };
  const { evidence = 'replay', certain, uncertain, asked } = route;
  const certainty = { evidence, certain, uncertain, asked } as const;
  if (route.kind === 'failed') return { reverse_route: { lookup: route.lookup, ...certainty } };
  const { device, ifindex, hops, table, prefix, gateway, type, nexthopId } = route;
  return {
    reverse_route: {
      device,
      ifindex,
      hops: hops.length > 1 ? [...hops] : undefined,
      table,
      prefix,
      gateway,
      type,
      nexthop_id: nexthopId,
      ...certainty,
    },
  };
}

/** Keeps what was worked out for a while. */
class Remembered<K, V> {
  readonly #work: (key: K) => V;
  readonly #now: () => number;
  readonly #values = new Map<K, { value: V; expiresMs: number }>();

  constructor(work: (key: K) => V, now: () => number) {
    this.#work = work;
    this.#now = now;
  }

  get(key: K): V {
    const now = this.#now();
    const known = this.#values.get(key);
    if (known && now < known.expiresMs) return known.value;
    if (this.#values.size === MAX_REMEMBERED) this.#values.clear();
    const value = this.#work(key);
    this.#values.set(key, { value, expiresMs: now + REMEMBER_MS });
    return value;
  }
}

const WITHOUT_FILTER: Explanation = {
  rpf: { verdict: 'not_rpf' },
  ailment: undefined,
  staleAtMs: Number.POSITIVE_INFINITY,
};
const NOT_LOOKED_UP: ReverseRoute = { kind: 'unknown', why: 'not looked up' };
const SOURCE_UNKNOWN: ReverseRoute = { kind: 'unknown', why: 'the event does not tell the source' };
/** Flows a second that are looked at one by one: more than an incident on a node has, far fewer than a flood. */
const MAX_EXPLAINED = 2000;
/** Sources a second that are explained each in its own words: the pods of a node. */
const MAX_COMPOSED = 250;
const SECOND_MS = 1000;
const CROWD: Evidence = {
  route: { kind: 'unknown', why: 'too many sources at once' },
  customRules: false,
};
const NO_STATE: Omit<SourceState, 'route'> = {
  all: 0,
  device: 0,
  acceptLocal: { all: false, device: false },
  unnumbered: false,
  ifindex: 0,
  isLoopback: false,
  customRules: false,
};
/** Files and names of namespaces change by hand. */
const REMEMBER_MS = 10_000;
const MAX_REMEMBERED = 1024;
const MAX_KNOWN = 512;
const MAX_UNKNOWN = 4;
