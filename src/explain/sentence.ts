import type { RpfMode } from '../events.js';
import { ARP_REFUSED } from '../names/reasons.js';
import type { FoundRoute, ReverseRoute } from './check.js';
import type { Facts, Verdict } from './verdict.js';

/**
 * What happened, in one sentence for a person; undefined where rp_filter and its relatives have no part in it. `arrived` says
 * when: "would arrive" of a packet that nobody has sent.
 */
export function sentence(
  facts: Facts,
  verdict: Verdict,
  device: string,
  arrived = 'arrived',
): string | undefined {
  const words = refusal(facts, verdict, device, arrived);
  return facts.reason === ARP_REFUSED ? `an ARP request stays without an answer: ${words}` : words;
}

function refusal(facts: Facts, verdict: Verdict, device: string, arrived: string): string | undefined {
  const src = facts.packet.src ?? 'a source';
  const { mode, route } = facts;
  switch (verdict.verdict) {
    case 'strict_mismatch':
      return `${src} ${arrived} on ${device}, but ${way(route)}; ${binding(mode, device)}`;
    case 'unnumbered_mismatch':
      return `${src} ${arrived} on ${device}, but ${way(route)}; ${binding(mode, device)}, and ${device} has no IPv4 address, so ${otherMode(mode)}`;
    case 'no_reverse_route':
      return `${src} ${arrived} on ${device}, but ${way(route)}; ${binding(mode, device)}`;
    case 'local_source':
      return localSource(facts, src, device, arrived);
    case 'invalid_source':
      return `${src} ${arrived} on ${device}, but ${invalidBecause(route)}; the kernel takes it from nobody, whatever rp_filter says`;
    case 'loopback_source':
      return `${src} ${arrived} on ${device}, but addresses of 127.0.0.0/8 never leave a machine; the kernel refuses them where route_localnet is off`;
    case 'netfilter_rpfilter': // has a sentence of its own
    case 'arp_refused':
      return undefined; // said by what it rests on
    case 'not_rpf':
      return hiddenByForwarding(facts, device);
    case undefined:
      return `${src} ${arrived} on ${device} and was refused, by which rule is not certain: ${verdict.verdict_unknown}`;
  }
}

/** Where the way back leads. */
export function way(route: ReverseRoute): string {
  if (route.kind === 'unknown') return `the way back to it is not known (${route.why})`;
  if (route.kind === 'found') return `the route back to it leaves by ${leaves(route)}`;
  return NO_WAY[route.lookup];
}

const NO_WAY = {
  none: 'there is no route back to it',
  unreachable: 'the route back to it is of type unreachable',
  prohibit: 'the route back to it is of type prohibit',
  blackhole: 'the route back to it is of type blackhole',
  rule: 'a policy rule forbids the way back to it',
} as const;

function leaves({ device, ifindex, hops, type }: FoundRoute): string {
  const name = device ?? `device ${ifindex ?? '?'}`;
  const others = hops.length > 1 ? ` and ${hops.length - 1} more` : '';
  return type === 'local' ? `${name}${others} (it is an address of this machine)` : `${name}${others}`;
}

/** Which setting makes the check binding. */
function binding({ all, device: own, decided_by }: RpfMode, device: string): string {
  if (decided_by === 'all') return `all.rp_filter=${all} makes the check binding`;
  if (decided_by === 'device') return `${device}.rp_filter=${own} makes the check binding`;
  return `all.rp_filter and ${device}.rp_filter, both ${all}, make the check binding`;
}

function otherMode({ effective }: RpfMode): string {
  return effective === 1
    ? 'loose mode (2) would drop it too'
    : `loose mode (${effective}) drops it like strict mode`;
}

function localSource({ packet, route, mode }: Facts, src: string, device: string, arrived: string): string {
  const off = 'the kernel takes such a source from outside only with accept_local=1';
  if (route.kind !== 'found' || route.type !== 'local' || route.prefix?.endsWith('/32')) {
    return `${src} ${arrived} on ${device}, but it is an address of this machine; ${off}`;
  }
  const mark =
    mode.src_valid_mark && packet.mark !== 0
      ? `, which mark 0x${packet.mark.toString(16)} leads to because src_valid_mark is on`
      : '';
  return `${src} ${arrived} on ${device}, but table ${route.table} says that ${route.prefix} is local${mark}; ${off}`;
}

function invalidBecause(route: ReverseRoute): string {
  if (route.kind === 'found' && route.type !== 'unicast' && route.type !== 'local') {
    return `${route.prefix ?? 'it'} is a route of type ${route.type}${route.device ? ` on ${route.device}` : ''}`;
  }
  return 'no machine can have such an address';
}

/** ip_error(), net/ipv4/route.c: without forwarding the packet dies before its source is looked at. */
function hiddenByForwarding({ reason, mode }: Facts, device: string): string | undefined {
  if (reason !== 'IP_INADDRERRORS' || mode.forwarding) return undefined;
  return `${device}.forwarding is 0: what is not for this machine is refused before its source is checked`;
}
