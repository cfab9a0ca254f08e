import type { Lookup, RouteType } from '../events.js';
import type { DropReader } from '../record/decode.js';
import { FLAGS } from '../record/layout.gen.js';
import type { FoundRoute, ReverseRoute } from './check.js';
import { type Evidence, type Passage, routeType } from './route.js';

/** The lookup for a source as the kernel made it on the way to the drop: the last table that it looked into. */
export interface SeenLookup {
  readonly table: number;
  /** 0, or a negative errno; EAGAIN: the table has no route. */
  readonly errno: number;
  readonly ifindex: number;
  readonly device: string;
  readonly gateway: string | undefined;
  /** Undefined where a nexthop object does not tell. */
  readonly type: RouteType | undefined;
}

/**
 * What the kernel itself was seen to find. It is asked to tell for some seconds only, so what it told of a source is used for
 * its later drops too, as long as the routes say the same. Bounded.
 */
export class SeenLookups {
  readonly #known = new Map<number, Map<string, Known>>();

  /** Something has changed there: the kernel may find another route now. */
  forget(netns: number): void {
    this.#known.delete(netns);
  }

  /** The evidence with what was seen. As long as it says the same it is the same object. */
  refine(passage: Passage, evidence: Evidence, drop: DropReader): Evidence {
    const all = this.#known.get(passage.netns);
    const key = `${passage.src} ${passage.dst} ${passage.mark}`;
    const known = all?.get(key);
    const fresh = lookupIn(drop);
    const seen = fresh ?? known?.seen;
    if (seen === undefined) return evidence;
    if (known?.replay === evidence && (fresh === undefined || isSame(fresh, known.seen)))
      return known.evidence;
    const route = confirm(evidence.route, seen);
    if (route === undefined) {
      all?.delete(key);
      return fresh ? { ...evidence, route: contradicting(evidence.route, fresh) } : evidence;
    }
    const refined = { ...evidence, route };
    this.#remember(passage.netns, key, { replay: evidence, seen, evidence: refined });
    return refined;
  }

  #remember(netns: number, key: string, known: Known): void {
    const all = this.#known.get(netns) ?? new Map<string, Known>();
    if (all.size === MAX_KNOWN) all.clear();
    if (all.size === 0 && this.#known.size === MAX_NAMESPACES) this.#known.clear();
    this.#known.set(netns, all.set(key, known));
  }
}

interface Known {
  readonly replay: Evidence;
  readonly seen: SeenLookup;
  readonly evidence: Evidence;
}

/** What stands in a record that came out of the flow table was seen for the first drop of its flow, maybe long ago. */
export function lookupIn(drop: DropReader): SeenLookup | undefined {
  if ((drop.flags & (FLAGS.WITNESS | FLAGS.AGGREGATE)) !== FLAGS.WITNESS) return undefined;
  const { witnessGateway, witnessType } = drop;
  return {
    table: drop.witnessTable,
    errno: drop.witnessErrno,
    ifindex: drop.witnessIfindex,
    device: drop.witnessDevice,
    gateway: witnessGateway === '0.0.0.0' ? undefined : witnessGateway,
    type: witnessType === 0 ? undefined : routeType(witnessType),
  };
}

/**
 * The route as both tell it: the kernel’s lookup which one it was, the question asked again its prefix and its other next
 * hops. Undefined where they are not the same.
 */
export function confirm(replay: ReverseRoute, seen: SeenLookup): ReverseRoute | undefined {
  if (replay.kind === 'unknown') return routeOf(seen);
  if (replay.kind === 'found') return isTheOne(replay, seen) ? { ...replay, ...seenNow(replay) } : undefined;
  const lookup = lookupOf(seen.errno);
  if (lookup === undefined || seen.errno === 0) return undefined;
  // Rules end lookups without a word; a route that ends one is told.
  if (replay.lookup === 'rule')
    return { kind: 'failed', lookup: lookup === 'none' ? 'rule' : lookup, ...SEEN };
  return replay.lookup === lookup ? { ...replay, ...SEEN } : undefined;
}

function isTheOne({ hops, ifindex, type }: FoundRoute, seen: SeenLookup): boolean {
  if (seen.errno !== 0) return false;
  return (
    (hops.includes(seen.ifindex) || ifindex === seen.ifindex) &&
    (seen.type === undefined || seen.type === type)
  );
}

/** Which of several next hops the check takes into account stays as uncertain as it was: all of them. */
function seenNow({
  hops,
  certain,
  uncertain,
}: FoundRoute): Pick<FoundRoute, 'certain' | 'uncertain' | 'evidence'> {
  return hops.length > 1 ? { certain, uncertain, evidence: 'kernel' } : SEEN;
}

function contradicting(replay: ReverseRoute, seen: SeenLookup): ReverseRoute {
  const route = routeOf(seen);
  if (route.kind === 'unknown' || replay.kind === 'unknown') return route;
  return { ...route, asked: inWords(replay) };
}

function routeOf({ errno, table, ifindex, device, gateway, type = 'unspecified' }: SeenLookup): ReverseRoute {
  if (errno === 0) return { kind: 'found', type, hops: [ifindex], device, ifindex, gateway, table, ...SEEN };
  const lookup = lookupOf(errno);
  if (lookup === undefined) return { kind: 'unknown', why: `the kernel’s lookup ended with errno ${-errno}` };
  return { kind: 'failed', lookup, ...SEEN };
}

function inWords(route: Exclude<ReverseRoute, { kind: 'unknown' }>): string {
  if (route.kind === 'failed') return `no route back (${route.lookup})`;
  const { prefix = 'a route', device, ifindex } = route;
  return `${prefix} by ${device ?? `device ${ifindex ?? '?'}`}`;
}

function isSame(a: SeenLookup, b: SeenLookup): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** fib_table_lookup() and fib_props, net/ipv4/fib_trie.c and fib_semantics.c, v6.18. */
function lookupOf(errno: number): Exclude<Lookup, 'rule'> | undefined {
  switch (errno) {
    case -11: // EAGAIN
      return 'none';
    case -113: // EHOSTUNREACH
      return 'unreachable';
    case -13: // EACCES
      return 'prohibit';
    case -22: // EINVAL
      return 'blackhole';
    default:
      return undefined;
  }
}

const SEEN = { certain: true, uncertain: undefined, evidence: 'kernel' } as const;
const MAX_KNOWN = 1024;
const MAX_NAMESPACES = 64;
