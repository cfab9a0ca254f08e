import type { RouteType } from '../../events.js';
import type { ReverseRoute } from '../check.js';
import type { Check } from './rule.js';
import type { Outcome } from './suspects.js';

/** What the check of a rule is made of, beside the rule. */
export interface CheckedPacket {
  readonly src: string;
  readonly dst: string;
  readonly ifindex: number;
  readonly isLoopback: boolean;
}

/**
 * What a rule's check of the reverse path says of a packet: rpfilter_mt() (net/ipv4/netfilter/ipt_rpfilter.c and
 * net/ipv6/netfilter/ip6t_rpfilter.c), nft_fib4_eval() and nft_fib6_eval() (nft_fib_ipv4.c and nft_fib_ipv6.c beside them),
 * v6.18. Unlike rp_filter they know no device without an address, and in loose mode any way back will do.
 */
export function outcomeOf(check: Check, packet: CheckedPacket, route: ReverseRoute): Outcome {
  if (packet.isLoopback) return 'accepted';
  const special = ofNobody(check, packet);
  if (special) return special;
  if (route.kind === 'unknown') return 'unknown';
  if (route.kind === 'failed') return 'refused';
  const isV6 = packet.src.includes(':');
  const byType = ofType(check, route.type, isV6);
  if (byType) return byType;
  return check.isLoose || route.hops.includes(packet.ifindex) ? 'accepted' : 'refused';
}

/** What the type of the route decides alone. */
function ofType(check: Check, type: RouteType, isV6: boolean): Outcome | undefined {
  if (type === 'local') {
    if (!check.isRpfilter || !check.acceptLocal) return 'refused';
    return isV6 ? 'accepted' : undefined;
  }
  const isRefused = isV6 ? type === 'anycast' : check.isRpfilter && type !== 'unicast';
  return isRefused ? 'refused' : undefined;
}

/** Sources that a machine uses that has no address yet. */
function ofNobody({ isRpfilter }: Check, { src, dst }: CheckedPacket): Outcome | undefined {
  if (src === '::') return isRpfilter ? 'accepted' : 'unknown';
  if (src !== '0.0.0.0') return undefined;
  return dst === '255.255.255.255' || dst.startsWith('224.0.0.') ? 'accepted' : 'unknown';
}
