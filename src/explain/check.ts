import type { Lookup, RouteType } from '../events.js';

/** A switch that is on where `all` or the device has it on. */
export interface Switch {
  readonly all: boolean;
  readonly device: boolean;
}

/** The way back to a source as the routing tables give it, or why it is not known. */
export type ReverseRoute = FoundRoute | FailedLookup | UnknownRoute;

/** Whether the answer is sure to be the kernel's own, and why not. */
interface Certainty {
  readonly certain: boolean;
  readonly uncertain?: string | undefined;
  /** The check comes out the same all the same: it looks at every next hop, and does not mind what ended a lookup. */
  readonly sameOutcome?: true | undefined;
  /** kernel: its own lookup was seen; else it was asked just after the drop. */
  readonly evidence?: 'kernel' | undefined;
  /** What it says when it is asked, where that is something else. */
  readonly asked?: string | undefined;
}

export interface FoundRoute extends Certainty {
  readonly kind: 'found';
  readonly type: RouteType;
  /** ifindex of each next hop. */
  readonly hops: readonly number[];
  /** Of the first next hop. */
  readonly device?: string | undefined;
  readonly ifindex?: number | undefined;
  readonly gateway?: string | undefined;
  readonly table?: number | undefined;
  /** As configured: "10.244.3.0/24". */
  readonly prefix?: string | undefined;
  readonly nexthopId?: number | undefined;
}

export interface FailedLookup extends Certainty {
  readonly kind: 'failed';
  readonly lookup: Lookup;
}

export interface UnknownRoute {
  readonly kind: 'unknown';
  readonly why: string;
}

/** What the kernel looks at when it checks a source that has an ordinary address. */
export interface SourceState {
  /** rp_filter */
  readonly all: number;
  readonly device: number;
  readonly acceptLocal: Switch;
  /** The device has no IPv4 address. */
  readonly unnumbered: boolean;
  readonly ifindex: number;
  readonly isLoopback: boolean;
  /** Policy rules of one's own: with them the kernel looks the source up even where rp_filter is 0. */
  readonly customRules: boolean;
  readonly route: FoundRoute | FailedLookup;
}

export type Outcome =
  | 'accepted'
  | 'strict_mismatch'
  | 'unnumbered_mismatch'
  | 'no_reverse_route'
  | 'local_source'
  | 'invalid_source';

/**
 * What the kernel does with a source: fib_validate_source() and __fib_validate_source(), net/ipv4/fib_frontend.c, v6.18;
 * the same since v5.10 but for the names of the reasons. Packets that IPsec decrypted are checked as if rp_filter were 0;
 * they are not told apart here.
 */
export function checkSource(state: SourceState): Outcome {
  const filter = effectiveFilter(state.all, state.device);
  const { route } = state;
  if (filter === 0 && (isOn(state.acceptLocal) || !state.customRules)) return checkLocal(state);
  if (route.kind === 'failed') return filter === 0 ? 'accepted' : 'no_reverse_route';
  if (route.type !== 'unicast' && route.type !== 'local') return 'invalid_source';
  if (route.type === 'local' && !isOn(state.acceptLocal)) return 'local_source';
  if (leadsBack(state, route) || filter === 0) return 'accepted';
  if (state.unnumbered) return 'unnumbered_mismatch';
  return filter === 1 ? 'strict_mismatch' : 'accepted';
}

/** IN_DEV_RPFILTER(), include/linux/inetdevice.h: the greater one, as signed integers; any but 0 is on. */
export function effectiveFilter(all: number, device: number): number {
  return Math.max(all, device);
}

export function isOn({ all, device }: Switch): boolean {
  return all || device;
}

/**
 * The short way of fib_validate_source(): with rp_filter off and without rules only one's own addresses are refused. It is not
 * taken for packets that would leave by the device that they came in by, where send_redirects is on.
 */
function checkLocal({ route, acceptLocal }: SourceState): Outcome {
  const isLocal = route.kind === 'found' && route.type === 'local';
  return isLocal && !isOn(acceptLocal) ? 'local_source' : 'accepted';
}

/** fib_info_nh_uses_dev(): any of the next hops will do. */
function leadsBack({ ifindex, isLoopback }: SourceState, route: FoundRoute): boolean {
  return route.hops.includes(ifindex) || (route.type === 'local' && isLoopback);
}
