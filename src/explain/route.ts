import type { Lookup, RouteType } from '../events.js';
import type { NativeAddon, NativeRoute, NativeRouteQuery, NativeRules } from '../native.js';
import type { FailedLookup, FoundRoute, ReverseRoute } from './check.js';
import { kindOf } from './verdict.js';

/** Whose way back is asked for. */
export interface Passage {
  /** Inode number of the network namespace. */
  readonly netns: number;
  readonly src: string;
  readonly dst: string;
  /** The packet's, where src_valid_mark, or the rule of netfilter, takes it into the lookup; else 0. */
  readonly mark: number;
  /** Who looks up: rp_filter, or a rule of netfilter, whose lookups come from no device. */
  readonly by?: 'netfilter';
  /** ifindex of the device that the way back is to leave by, where the lookup asks for it: IPv6 only. */
  readonly oif?: number;
}

export interface Evidence {
  readonly route: ReverseRoute;
  /** There are policy rules of somebody's own. */
  readonly customRules: boolean;
}

export interface Answer {
  /** The same object as long as it says the same. */
  readonly evidence: Evidence;
  /** When it should be asked again. */
  readonly staleAtMs: number;
  /** Of its network namespace, when it was asked. */
  readonly generation: number;
}

export interface ReverseRoutesOptions {
  readonly addon: Pick<NativeAddon, 'route' | 'rules'>;
  /** Milliseconds that never go back. */
  readonly now?: () => number;
  /** Milliseconds of each second that lookups may take; what is beyond stays unknown. */
  readonly budgetMs?: number;
}

/**
 * The routes back to sources, asked for in the network namespace of the drop just after it: the lookup of
 * __fib_validate_source() (net/ipv4/fib_frontend.c, v6.18) over netlink. An answer is kept until the kernel tells of a change in that
 * namespace, for a second at most. An unknown one says why.
 */
export class ReverseRoutes {
  readonly #addon: Pick<NativeAddon, 'route' | 'rules'>;
  readonly #now: () => number;
  readonly #entries = new Map<string, Answer>();
  readonly #rules = new Map<string, { rules: NativeRules; staleAtMs: number }>();
  /** How often the routes of a network namespace have changed. */
  readonly #generations = new Map<number, number>();
  readonly #budget: Budget;

  constructor({ addon, now = () => performance.now(), budgetMs = BUDGET_MS }: ReverseRoutesOptions) {
    this.#addon = addon;
    this.#now = now;
    this.#budget = new Budget(now, budgetMs, LEAST_LOOKUPS);
  }

  find(passage: Passage): Answer {
    const now = this.#now();
    const known = this.#entries.get(this.#keyOf(passage));
    const generation = this.#generations.get(passage.netns) ?? 0;
    if (known && now < known.staleAtMs && known.generation === generation) return known;
    const fresh = this.#budget.spend(() => this.#ask(passage)) ?? TOO_MANY;
    const evidence = known && isSame(known.evidence, fresh) ? known.evidence : fresh;
    const ttlMs = passage.by ? RULE_TTL_MS : TTL_MS;
    const answer = { evidence, staleAtMs: now + ttlMs, generation };
    if (!known && this.#entries.size === MAX_ENTRIES) this.#entries.clear();
    if (fresh !== TOO_MANY) this.#entries.set(this.#keyOf(passage), answer);
    return answer;
  }

  /** Something has changed there: what was answered before may not be so any more. */
  forget(netns: number): void {
    const generation = (this.#generations.get(netns) ?? 0) + 1;
    if (generation === 1 && this.#generations.size === MAX_NAMESPACES) this.#generations.clear();
    this.#generations.set(netns, generation);
    for (const family of [4, 6] as const) this.#rules.delete(rulesKey(netns, family));
  }

  /** Where rules look at more than the source, each destination has a way back of its own. */
  #keyOf({ netns, src, dst, mark, by, oif }: Passage): string {
    const rules = this.#rules.get(rulesKey(netns, familyOf(src)))?.rules;
    const key = `${netns} ${src} ${mark}${by ? ` ${by} ${oif}` : ''}`;
    return (rules && looksAtDestination(rules)) || familyOf(src) === 6 ? `${key} ${dst}` : key;
  }

  #ask(passage: Passage): Evidence {
    if (passage.netns === 0) return NO_NAMESPACE;
    try {
      const rules = this.#findRules(passage);
      return { route: this.#lookUp(passage, rules), customRules: rules.custom };
    } catch (error) {
      return { route: { kind: 'unknown', why: whyNot(error) }, customRules: false };
    }
  }

  #findRules({ netns, src }: Passage): NativeRules {
    const now = this.#now();
    const key = rulesKey(netns, familyOf(src));
    const known = this.#rules.get(key);
    if (known && now < known.staleAtMs) return known.rules;
    const rules = this.#addon.rules(netns, familyOf(src));
    if (!known && this.#rules.size === MAX_NAMESPACES) this.#rules.clear();
    this.#rules.set(key, { rules, staleAtMs: now + TTL_MS });
    return rules;
  }

  #lookUp(passage: Passage, rules: NativeRules): ReverseRoute {
    const doubts = doubtsAbout(rules);
    if (familyOf(passage.src) === 6) return this.#answer(passage, query6(passage), rules, doubts);
    // A lookup of netfilter comes from no device, as the plain question does.
    const isPlain = passage.by === 'netfilter' ? !rules.source : !looksAtDestination(rules);
    if (isPlain) return this.#answer(passage, plainQuery(passage), rules, doubts);
    const query = this.#exactQuery(passage);
    if (query) {
      const answer = this.#addon.route(passage.netns, query);
      if (!mayBeOurOwnFault(answer, query)) return describe(answer, rules, doubts);
    }
    const doubt = 'policy rules look at source or device, and the kernel does not answer for this packet';
    return this.#answer(passage, plainQuery(passage), rules, [doubt, ...doubts]);
  }

  #answer(passage: Passage, query: NativeRouteQuery, rules: NativeRules, doubts: string[]): ReverseRoute {
    return describe(this.#addon.route(passage.netns, query), rules, doubts);
  }

  /** The reverse lookup goes from the destination to the source, as if it came in where the packet would go out. */
  #exactQuery({ netns, src, dst, mark, by }: Passage): NativeRouteQuery | undefined {
    const kind = kindOf(dst);
    if (kind !== 'ordinary') return { dst: src, mark };
    const forward = this.#addon.route(netns, { dst, mark });
    // The kernel answers for no foreign source that comes from no device.
    if (by === 'netfilter' && forward.type !== RTN_LOCAL) return undefined;
    if (forward.type === RTN_LOCAL) return { dst: src, src: dst, mark };
    if (forward.type === RTN_BROADCAST) return { dst: src, mark };
    if (forward.ifindex === undefined) return undefined;
    return { dst: src, src: dst, iif: forward.ifindex, mark };
  }
}

/**
 * Time for lookups. A flood of forged sources must not stall the stream: what is beyond stays unknown. `least` are made in
 * any second: on a machine that is short of CPUs one of them may take all of the time.
 */
export class Budget {
  readonly #now: () => number;
  readonly #budgetMs: number;
  readonly #least: number;
  #sinceMs = Number.NEGATIVE_INFINITY;
  #spentMs = 0;
  #made = 0;

  constructor(now: () => number, budgetMs: number, least = 1) {
    this.#now = now;
    this.#budgetMs = budgetMs;
    this.#least = least;
  }

  /** Undefined when there is no time left. */
  spend<T>(work: () => T): T | undefined {
    const start = this.#now();
    if (start - this.#sinceMs >= 1000) {
      this.#sinceMs = start;
      this.#spentMs = 0;
      this.#made = 0;
    }
    if (this.#spentMs >= this.#budgetMs && this.#made >= this.#least) return undefined;
    this.#made++;
    const result = work();
    this.#spentMs += Math.max(this.#now() - start, LEAST_COST_MS);
    return result;
  }
}

export function familyOf(address: string): 4 | 6 {
  return address.includes(':') ? 6 : 4;
}

function rulesKey(netns: number, family: 4 | 6): string {
  return `${netns} ${family}`;
}

/** For IPv6 a lookup may have any source: inet6_rtm_getroute(), net/ipv6/route.c, v6.18. */
function query6({ src, dst, mark, oif }: Passage): NativeRouteQuery {
  return { dst: src, ...(!isMulticast6(dst) && { src: dst }), mark, ...(oif !== undefined && { oif }) };
}

function isMulticast6(address: string): boolean {
  return /^ff/i.test(address);
}

function plainQuery({ src, mark }: Passage): NativeRouteQuery {
  return { dst: src, mark };
}

function looksAtDestination(rules: NativeRules): boolean {
  return rules.source || rules.device;
}

function doubtsAbout(rules: NativeRules): string[] {
  return [
    ...(rules.vrf ? ['there are VRFs'] : []),
    ...(rules.other ? ['policy rules look at TOS, protocol, ports, tunnel or user'] : []),
  ];
}

/**
 * Asked with a device, the kernel checks the source of the reversed packet too, and says EINVAL (v6.13 and newer) or EXDEV
 * when it refuses that one.
 */
function mayBeOurOwnFault({ errno }: NativeRoute, query: NativeRouteQuery): boolean {
  if (errno === undefined || query.src === undefined) return false;
  return !(errno in LOOKUP_OF) || errno === -EINVAL || query.iif === undefined;
}

function describe(answer: NativeRoute, rules: NativeRules, doubts: readonly string[]): ReverseRoute {
  if (answer.errno !== undefined) return describeFailure(answer.errno, rules, doubts);
  const { hops = [], hopCount = hops.length } = answer;
  const unique = [...new Set(hops)];
  const found: Omit<FoundRoute, 'certain' | 'uncertain'> = {
    kind: 'found',
    type: routeType(answer.type ?? 0),
    hops: unique,
    device: answer.device,
    ifindex: answer.ifindex,
    gateway: answer.gateway,
    table: answer.table,
    prefix: answer.prefix,
    nexthopId: answer.nexthopId,
  };
  const described = withDoubts(found, [...hopDoubts(unique.length, hops.length, hopCount), ...doubts]);
  const isOnlyWhichHop =
    !described.certain && doubts.length === 0 && hopCount === hops.length && hopCount > 0;
  return isOnlyWhichHop ? { ...described, sameOutcome: true } : described;
}

function hopDoubts(different: number, known: number, all: number): string[] {
  if (all > known || all === 0)
    return [`only ${known} of its ${all || 'unknown number of'} next hops are known`];
  return different > 1 ? [`it has ${all} next hops: the check accepts the device of any`] : [];
}

function describeFailure(errno: number, rules: NativeRules, doubts: readonly string[]): ReverseRoute {
  const lookup = LOOKUP_OF[errno];
  if (lookup === undefined) return { kind: 'unknown', why: `the lookup failed with errno ${-errno}` };
  const isRule = lookup !== 'none' && rules[lookup];
  if (!isRule) return withDoubts({ kind: 'failed', lookup }, doubts);
  const doubt = `a policy rule ends lookups as ${lookup}; a route of that type would look the same`;
  const described = withDoubts({ kind: 'failed' as const, lookup: 'rule' as const }, [doubt, ...doubts]);
  return doubts.length === 0 ? { ...described, sameOutcome: true } : described;
}

function withDoubts<T extends Omit<FoundRoute, 'certain'> | Omit<FailedLookup, 'certain'>>(
  route: T,
  doubts: readonly string[],
): T & { certain: boolean; uncertain?: string | undefined } {
  return doubts.length === 0
    ? { ...route, certain: true }
    : { ...route, certain: false, uncertain: doubts.join('; ') };
}

/** RTN_* of include/uapi/linux/rtnetlink.h as a word. */
export function routeType(number: number): RouteType {
  return TYPES[number] ?? 'unspecified';
}

function isSame(a: Evidence, b: Evidence): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function whyNot(error: unknown): string {
  const { code, message } = error as { code?: string; message: string };
  if (code === 'ESRCH' || (error as { errno?: number }).errno === -ESRCH)
    return 'the network namespace was gone, or cannot be found, when its routes were asked for';
  return `the routes could not be asked for: ${message}`;
}

const ESRCH = 3;
const EINVAL = 22;

/** What fib_lookup() returns for each, include/net/ip_fib.h and fib_props in net/ipv4/fib_semantics.c. */
const LOOKUP_OF: Readonly<Record<number, Exclude<Lookup, 'rule'>>> = {
  [-101]: 'none', // ENETUNREACH
  [-113]: 'unreachable', // EHOSTUNREACH
  [-13]: 'prohibit', // EACCES
  [-EINVAL]: 'blackhole',
};

/** include/uapi/linux/rtnetlink.h */
const TYPES: readonly RouteType[] = ['unspecified', 'unicast', 'local', 'broadcast', 'anycast', 'multicast'];
const RTN_LOCAL = 2;
const RTN_BROADCAST = 3;

/** Long enough for the flows of a pod to share an answer, short enough that a route that moves is seen. */
const TTL_MS = 1000;
/** Rules are read again more often, and what they found is held against them as they are. */
const RULE_TTL_MS = 10;
/** Of each second: a tenth, while the ring buffer holds some seconds of a flood. */
const BUDGET_MS = 100;
/** A clock that does not move must not make lookups free. */
const LEAST_COST_MS = 0.02;
/** Of each second. */
const LEAST_LOOKUPS = 8;
const MAX_ENTRIES = 1024;
const MAX_NAMESPACES = 1024;

const NO_NAMESPACE: Evidence = {
  route: { kind: 'unknown', why: 'the drop does not say which network namespace it happened in' },
  customRules: false,
};
const TOO_MANY: Evidence = {
  route: {
    kind: 'unknown',
    why: `too many sources at once: lookups may take ${BUDGET_MS} ms of each second`,
  },
  customRules: false,
};
