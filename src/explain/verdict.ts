import type { Packet, RpfMode, VerdictName } from '../events.js';
import { ARP_REFUSED } from '../names/reasons.js';
import { checkSource, type FoundRoute, type Outcome, type ReverseRoute, type SourceState } from './check.js';

/** All that the verdict on a drop is made of. */
export interface Facts {
  /** The kernel's; undefined where it gives none. */
  readonly reason: string | undefined;
  /** Whether this kernel has reasons of their own for refused sources (v6.13 and newer). */
  readonly hasSourceReasons: boolean;
  /** symbol+0xoffset */
  readonly location: string;
  /** What a hook saw where the kernel refuses sources; undefined where there is no hook. */
  readonly hook?: SourceHook | undefined;
  readonly mode: RpfMode;
  readonly packet: Pick<Packet, 'src' | 'dst' | 'protocol' | 'mark'>;
  readonly route: ReverseRoute;
  /** What checkSource() needs beside the route. */
  readonly state: Omit<SourceState, 'route'>;
}

export interface SourceHook {
  /** The source of this packet was refused. */
  readonly refused: boolean;
  /** And rp_filter refused it: the reason is not the kernel's own. */
  readonly byFilter: boolean;
}

export interface Verdict {
  /** Undefined where several are possible, or none fits. */
  readonly verdict: VerdictName | undefined;
  readonly verdict_unknown?: string;
  /** The kernel gives no reason here: a hook saw it refuse the source, or settings and routes prove it. */
  readonly from?: 'hook' | 'state';
  /** What is found now says otherwise than the kernel did then. */
  readonly contradiction?: string;
}

/**
 * Which branch of the kernel refused the source. The kernel's own reason leads; settings and route tell the branches apart
 * that share a reason. Mirrors ip_route_input_slow() and ip_mc_validate_source() (net/ipv4/route.c) and
 * __fib_validate_source() (net/ipv4/fib_frontend.c), v6.18. Nothing is guessed.
 */
export function classify(facts: Facts): Verdict {
  switch (facts.reason) {
    case 'IP_RPFILTER':
      return facts.hook?.byFilter ? { ...refusedByFilter(facts), from: 'hook' } : refusedByFilter(facts);
    case ARP_REFUSED:
      return { verdict: 'arp_refused' };
    case 'IP_LOCAL_SOURCE':
      return { verdict: 'local_source', ...contradict(facts, ['local_source']) };
    case 'IP_INVALID_SOURCE':
      return { verdict: 'invalid_source', ...contradictInvalid(facts) };
    case 'IP_LOCALNET':
      return { verdict: isLoopback(facts.packet.src) ? 'loopback_source' : 'not_rpf' };
    case 'NOT_SPECIFIED':
    case undefined:
      return mayBeRefusal(facts) ? judgeUnnamed(facts) : NOT_RPF;
    default:
      return NOT_RPF;
  }
}

/** Whether the verdict on a drop needs the route back to its source. */
export function needsRoute(facts: Omit<Facts, 'route' | 'state'>): boolean {
  const { reason, packet } = facts;
  if (packet.src === undefined || kindOf(packet.src) !== 'ordinary') return false;
  if (reason === 'NOT_SPECIFIED' || reason === undefined) return mayBeRefusal(facts);
  return NEED_ROUTE.has(reason);
}

const NEED_ROUTE: ReadonlySet<string> = new Set([
  'IP_RPFILTER',
  'IP_LOCAL_SOURCE',
  'IP_INVALID_SOURCE',
  ARP_REFUSED,
]);

/**
 * Why the kernel refused the source of an ARP request: it gives no reason, but the check is the one of packets. Undefined where
 * that is not certain.
 */
export function groundsOf({ route, state }: Facts): VerdictName | undefined {
  if (route.kind === 'unknown') return undefined;
  const outcome = checkSource({ ...state, route });
  return outcome === 'accepted' ? undefined : outcome;
}

export type AddressKind = 'ordinary' | 'loopback' | 'multicast' | 'zero' | 'broadcast';

/** The kernel's kinds of addresses, include/linux/in.h: only 0.0.0.0 is "zero", only 255.255.255.255 is "broadcast". */
export function kindOf(address: string): AddressKind {
  if (address === '0.0.0.0') return 'zero';
  if (address === '255.255.255.255') return 'broadcast';
  const first = Number(address.slice(0, address.indexOf('.')));
  if (first === 127) return 'loopback';
  return first >= 224 && first <= 239 ? 'multicast' : 'ordinary';
}

const NOT_RPF: Verdict = { verdict: 'not_rpf' };

/** The kernel has said that rp_filter refused; which of its three ways to do so? */
function refusedByFilter(facts: Facts): Verdict {
  const { mode, route } = facts;
  const possible = waysToRefuse(mode);
  if (route.kind === 'unknown') {
    if (possible.length === 1) return { verdict: possible[0] };
    return { verdict: undefined, verdict_unknown: `${possible.join(' or ')}: ${route.why}` };
  }
  const outcome = checkSource({ ...facts.state, route });
  if (possible.includes(outcome as VerdictName)) return { verdict: outcome as VerdictName };
  const { contradiction } = contradict(facts, possible);
  if (possible.length === 1) return { verdict: possible[0], ...(contradiction && { contradiction }) };
  const verdict_unknown = `${possible.join(' or ')}: the route back has changed since, or is not certain`;
  return { verdict: undefined, verdict_unknown, ...(contradiction && { contradiction }) };
}

/** A device with an address is refused by strict mode only where there is a route; without an address by any mode. */
function waysToRefuse(mode: RpfMode): VerdictName[] {
  if (mode.unnumbered) return ['unnumbered_mismatch', 'no_reverse_route'];
  return mode.effective === 1 ? ['strict_mismatch', 'no_reverse_route'] : ['no_reverse_route'];
}

function contradict(facts: Facts, possible: readonly string[]): Pick<Verdict, 'contradiction'> {
  const { route, state } = facts;
  if (route.kind === 'unknown') return {};
  const outcome = checkSource({ ...state, route });
  if (possible.includes(outcome)) return {};
  return { contradiction: `${whatIsFound(route)}: with it the kernel ${wouldDo(outcome)}` };
}

/** 0.0.0.0, 255.255.255.255 and multicast are refused before any route is looked at. */
function contradictInvalid(facts: Facts): Pick<Verdict, 'contradiction'> {
  const { src } = facts.packet;
  return src !== undefined && kindOf(src) === 'ordinary' ? contradict(facts, ['invalid_source']) : {};
}

function whatIsFound(route: FoundRoute | Exclude<ReverseRoute, { kind: 'unknown' }>): string {
  const now = route.evidence === 'kernel' ? '' : 'now ';
  if (route.kind === 'failed') return `${now}there is no route back (${route.lookup})`;
  const way = route.type === 'unicast' ? '' : `is of type ${route.type} and `;
  return `${now}the route back ${way}leads to ${route.device ?? `device ${route.ifindex ?? '?'}`}`;
}

function wouldDo(outcome: Outcome): string {
  return outcome === 'accepted' ? 'accepts the source' : `refuses the source for another reason (${outcome})`;
}

/**
 * Kernels before v6.13 give NOT_SPECIFIED for refused sources but IP_RPFILTER, those before v5.17 give no reason at all.
 * They free the packet in ip_rcv_finish() or what is inlined into it.
 */
function mayBeRefusal({ hasSourceReasons, location }: Pick<Facts, 'hasSourceReasons' | 'location'>): boolean {
  return !hasSourceReasons && /^ip_(list_|sublist_)?rcv_finish/.test(location);
}

/** A refused source, or another drop at the same place. */
function judgeUnnamed(facts: Facts): Verdict {
  const { hook, packet } = facts;
  // The sources of multicast are checked elsewhere too: ip_mc_validate_source(), where the hook is not.
  const isSeen = hook !== undefined && packet.dst !== undefined && kindOf(packet.dst) !== 'multicast';
  if (!isSeen) return judgeState(facts);
  return hook.refused ? judgeRefused(facts) : NOT_RPF;
}

/** Refused for certain, and not by rp_filter where the kernel has a reason for that. */
function judgeRefused(facts: Facts): Verdict {
  const { packet, mode, reason } = facts;
  const kind = packet.src === undefined ? 'ordinary' : kindOf(packet.src);
  if (kind === 'multicast' || kind === 'broadcast' || kind === 'zero') return fromHook('invalid_source');
  if (kind === 'loopback' && !mode.route_localnet) return fromHook('loopback_source');
  const ways: VerdictName[] = ['local_source', 'invalid_source'];
  const possible = reason === undefined ? [...waysToRefuse(mode), ...ways] : ways;
  if (facts.route.kind === 'unknown') return unproven(`${possible.join(' or ')}: ${facts.route.why}`);
  const outcome = checkSource({ ...facts.state, route: facts.route });
  if (possible.includes(outcome as VerdictName)) return fromHook(outcome as VerdictName);
  return { ...unproven(possible.join(' or ')), ...contradict(facts, possible) };
}

function fromHook(verdict: VerdictName): Verdict {
  return { verdict, from: 'hook' };
}

/** Only what the state proves is said: whatever the kernel saw, it refuses such a source before anything else. */
function judgeState(facts: Facts): Verdict {
  const { packet, mode, route } = facts;
  const { src, dst } = packet;
  if (src === undefined || dst === undefined) return unproven('the addresses could not be read');
  // Groups that nobody has joined end here as well.
  if (kindOf(dst) === 'multicast') return unproven('the kernel gives no reason for this drop');
  const kind = kindOf(src);
  if (kind === 'multicast' || kind === 'broadcast') return fromState('invalid_source');
  if (kind === 'zero') return kindOf(dst) === 'broadcast' ? NOT_RPF : fromState('invalid_source');
  if (kind === 'loopback') return mode.route_localnet ? judgeRoute(facts) : fromState('loopback_source');
  if (route.kind === 'unknown') return unproven(route.why);
  return judgeRoute(facts);
}

function judgeRoute({ reason, route, state }: Facts): Verdict {
  if (route.kind === 'unknown') return unproven(route.why);
  if (!route.certain) return unproven(route.uncertain ?? 'the route back is not certain');
  const outcome = checkSource({ ...state, route });
  if (outcome === 'accepted') return NOT_RPF;
  const isFilter = outcome !== 'local_source' && outcome !== 'invalid_source';
  // Where reasons exist this one has had its own since v5.18.
  if (isFilter && reason !== undefined) return unproven('the kernel gives no reason for this drop');
  return fromState(outcome);
}

function fromState(verdict: VerdictName): Verdict {
  return { verdict, from: 'state' };
}

function unproven(why: string): Verdict {
  return { verdict: undefined, verdict_unknown: why };
}

function isLoopback(address: string | undefined): boolean {
  return address !== undefined && kindOf(address) === 'loopback';
}
