import { checkSource, effectiveFilter, isOn, type ReverseRoute, type Switch } from '../explain/check.js';
import type { Ailment } from '../explain/fix.js';
import type { RouteChange } from '../routes/change.js';
import { addressOf, bitsOf, covers, parseAddress } from '../routes/prefix.js';

/** A change of routes that drops are put down to. */
export interface RouteSuspect {
  readonly change: RouteChange;
  /** The address or device that it came with, changed by somebody: that is what was done. */
  readonly trigger?: RouteChange | undefined;
  /** Why it may be another one; undefined: without it the kernel would have let the source in. */
  readonly doubt?: string | undefined;
}

/**
 * The change of routes that let the kernel refuse a source. Proven is the last one without which the model of the kernel lets it
 * in; where none is, the last one that touches the way back and came shortly before may be it. `changes` are those of the drop's
 * network namespace, oldest first.
 */
export function findRouteCulprit(
  changes: readonly RouteChange[],
  ailment: Ailment,
  dropNs: bigint,
): RouteSuspect | undefined {
  const src = parseAddress(ailment.src);
  let possible: RouteSuspect | undefined;
  for (let index = changes.length - 1; index >= 0; index--) {
    const change = changes[index] as RouteChange;
    if (change.notBeforeNs > dropNs + CLOCK_NS) continue;
    if (!touches(change, ailment, src)) continue;
    const before = changes.slice(0, index);
    const doubt = doubtAbout(change, ailment, before);
    if (doubt === undefined) continue;
    const trigger = triggerOf(change, before);
    if (doubt === PROVEN) return { change, trigger };
    if (dropNs - change.timeNs <= NEAR_NS) possible ??= { change, trigger, doubt };
  }
  return possible;
}

/** Whether a change may have to do with the way back to a source at all. `src` is the source to be compared. */
export function touches(change: RouteChange, { state, route, srcValidMark }: Ailment, src: number): boolean {
  switch (change.what) {
    case 'route':
      return covers(change.covered, src);
    case 'rule':
      return covers(change.covered, src) && mayMatch(change, srcValidMark);
    case 'address':
      return change.ifindex === state.ifindex || covers(change.covered, src);
    case 'link':
      return (
        change.action !== 'changed' && (change.ifindex === state.ifindex || mayLeadBy(route, change.ifindex))
      );
    case 'nexthop':
      return route.kind !== 'found' || route.nexthopId === change.nexthopId;
    case 'many':
    case 'missed':
      return true;
  }
}

/** PROVEN, why it is not, or undefined where the change has nothing to do with it. */
function doubtAbout(
  change: RouteChange,
  ailment: Ailment,
  before: readonly RouteChange[],
): string | undefined {
  switch (change.what) {
    case 'route':
      return change.action === 'deleted'
        ? doubtAboutDeleted(change, ailment)
        : doubtAboutMade(change, ailment, before);
    case 'rule':
      return 'what a policy rule does to a lookup is not worked out';
    case 'address':
      return doubtAboutAddress(change, ailment);
    case 'link':
      return doubtAboutLink(change, ailment);
    case 'nexthop':
      return 'which routes went by the next hop is not known';
    case 'many':
      return `${change.count} changes came at a time, too many to tell each`;
    case 'missed':
      return 'changes came so fast that some were missed';
  }
}

/** With the route still there the lookup would have found it, and not the one that it finds now. */
function doubtAboutDeleted(change: RouteChange, { state, route: now }: Ailment): string | undefined {
  const then = routeOf(change);
  if (then === undefined || checkSource({ ...state, route: then }) !== 'accepted') return undefined;
  if (now.kind === 'unknown') return UNKNOWN_NOW;
  if (now.kind === 'failed')
    return now.lookup === 'none' && PLAIN_TABLES.has(change.table) && !state.customRules
      ? PROVEN
      : WHICH_TABLE;
  if (now.table === undefined || now.prefix === undefined) return UNKNOWN_NOW;
  if (now.table !== change.table) return WHICH_TABLE;
  const longer = bitsOf(change.prefix) - bitsOf(now.prefix);
  if (longer > 0) return PROVEN;
  return longer === 0 ? 'which of two routes to the same prefix came first is not known' : undefined;
}

/** The lookup finds this route now. What it would find without it only earlier changes can tell. */
function doubtAboutMade(
  change: RouteChange,
  { state, route: now }: Ailment,
  before: readonly RouteChange[],
): string | undefined {
  if (now.kind === 'unknown') return UNKNOWN_NOW;
  if (!isMadeBy(change, now)) return undefined;
  const replaced = routeBefore(change, before);
  if (replaced === undefined) return 'what the way back was before it is not known';
  return checkSource({ ...state, route: replaced }) === 'accepted' ? PROVEN : undefined;
}

/** In loose mode a device with an address lets in what one without refuses; and an address makes a source local. */
function doubtAboutAddress(change: RouteChange, { src, verdict, state, route }: Ailment): string | undefined {
  if (verdict === 'local_source' && change.action !== 'deleted' && addressOf(change.prefix) === src)
    return effectiveFilter(state.all, state.device) === 0 && !isOn(state.acceptLocal)
      ? PROVEN
      : 'what the way back was before it is not known';
  const isOfDevice = change.ifindex === state.ifindex && change.action === 'deleted';
  if (!isOfDevice || !state.unnumbered || route.kind === 'unknown') return undefined;
  return checkSource({ ...state, route, unnumbered: false }) === 'accepted' ? PROVEN : undefined;
}

/** The kernel takes the routes by a device away without a word when it goes down, and does not put them back. */
function doubtAboutLink(change: RouteChange, { state, route: now }: Ailment): string | undefined {
  if (change.action !== 'down' && change.action !== 'deleted') return undefined;
  if (change.ifindex === state.ifindex) return ROUTES_GONE;
  const then = found('unicast', [change.ifindex]);
  if (now.kind !== 'failed' || checkSource({ ...state, route: then }) !== 'accepted') return undefined;
  return ROUTES_GONE;
}

/** The route that stood there before, as the last change of it that was heard of left it. To delete it first is the same. */
function routeBefore(change: RouteChange, before: readonly RouteChange[]): KnownRoute | undefined {
  const last = before.findLast(
    ({ what, table, prefix, priority }) =>
      what === 'many' ||
      what === 'missed' ||
      (what === 'route' &&
        table === change.table &&
        prefix === change.prefix &&
        priority === change.priority),
  );
  if (last?.what !== 'route') return undefined;
  const isThere = change.action === 'replaced' && last.action !== 'deleted';
  const isInItsPlace =
    change.action === 'added' && last.action === 'deleted' && change.timeNs - last.timeNs <= AT_ONCE_NS;
  return isThere || isInItsPlace ? routeOf(last) : undefined;
}

type KnownRoute = Exclude<ReverseRoute, { kind: 'unknown' }>;

/** What a lookup that ends with it finds. Undefined where that is not known. */
function routeOf({ type, hops, hopCount, ifindex, nexthopId }: RouteChange): KnownRoute | undefined {
  if (type === 'blackhole' || type === 'unreachable' || type === 'prohibit')
    return { kind: 'failed', lookup: type, certain: true };
  if (type === 'throw' || hopCount > hops.length || (nexthopId !== 0 && hops.length === 0)) return undefined;
  return found(type, hops.length > 0 ? hops : [ifindex]);
}

function found(type: Extract<KnownRoute, { kind: 'found' }>['type'], hops: readonly number[]): KnownRoute {
  return { kind: 'found', type, hops, certain: true };
}

function isMadeBy(change: RouteChange, now: KnownRoute): boolean {
  if (now.kind === 'failed') return now.lookup === change.type;
  const isSamePlace = now.table === change.table && now.prefix === change.prefix;
  return (
    isSamePlace && now.type === change.type && (change.ifindex === 0 || now.hops.includes(change.ifindex))
  );
}

/** Rules for marked packets say nothing of sources that are looked up without a mark. */
function mayMatch({ mark, markMask }: RouteChange, srcValidMark: Switch): boolean {
  return markMask === 0 || mark === 0 || isOn(srcValidMark);
}

function mayLeadBy(route: ReverseRoute, ifindex: number): boolean {
  return route.kind !== 'found' || route.hops.includes(ifindex);
}

/** The kernel makes and deletes routes of its own with addresses and devices: those were what somebody changed. */
function triggerOf(change: RouteChange, before: readonly RouteChange[]): RouteChange | undefined {
  if (change.what !== 'route' || change.portId !== 0 || !change.isByKernel) return undefined;
  return before.findLast(
    ({ what, action, ifindex, timeNs }) =>
      (what === 'address' || (what === 'link' && action !== 'changed')) &&
      ifindex === change.ifindex &&
      change.timeNs - timeNs <= TOGETHER_NS,
  );
}

const PROVEN = '';
const UNKNOWN_NOW = 'the way back as it is now is not known';
const WHICH_TABLE = 'policy rules decide which tables a lookup goes through';
const ROUTES_GONE = 'the kernel takes routes by a device away without telling which';
/** RT_TABLE_DEFAULT, RT_TABLE_MAIN, RT_TABLE_LOCAL: without rules of somebody's own every lookup goes through them. */
const PLAIN_TABLES: ReadonlySet<number> = new Set([253, 254, 255]);
/** A route works before its message is sent. */
const CLOCK_NS = 1_000_000n;
const AT_ONCE_NS = 1_000_000_000n;
const TOGETHER_NS = 50_000_000n;
/** Shortly before. */
const NEAR_NS = 30_000_000_000n;
