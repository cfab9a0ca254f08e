import type { Rpf } from '../../events.js';
import type { NativeAddon } from '../../native.js';
import type { DropReader } from '../../record/decode.js';
import { FLAGS } from '../../record/layout.gen.js';
import type { ReverseRoute } from '../check.js';
import type { CommandPlace } from '../namespace.js';
import { Budget, type Passage as Lookup, type ReverseRoutes } from '../route.js';
import type { Scene } from '../scene.js';
import { way } from '../sentence.js';
import { fieldsOf } from './fields.js';
import { findRuleCure, type RuleAilment } from './fix.js';
import { type Case, type Judgement, judge } from './judge.js';
import { outcomeOf } from './outcome.js';
import { type Check, describeRule, familyWord, type Hook, type Rule, textOf } from './rule.js';
import { type ReadRuleset, Rulesets } from './rulesets.js';

export interface NetfilterOptions {
  readonly addon: Pick<NativeAddon, 'ruleset'>;
  readonly routes: ReverseRoutes;
  /** Whether this kernel has reasons of their own for refused sources (v6.13 and newer). */
  readonly hasSourceReasons: () => boolean;
  readonly now: () => number;
}

/** What the explainer adds to what is asked here. */
export interface Surroundings {
  readonly place: () => CommandPlace;
  readonly isPodDevice: boolean;
  readonly kernelAccepts: RuleAilment['kernelAccepts'];
}

export interface NetfilterAnswer {
  readonly rpf: Omit<Rpf, 'mode'>;
  readonly staleAtMs: number;
  /** The route that was looked at, for the event. */
  readonly route?: ReverseRoute;
}

/** Says of drops that netfilter made whether a rule that checks the reverse path made them, and which. */
export class Netfilter {
  readonly #options: NetfilterOptions;
  readonly #rulesets: Rulesets;
  readonly #budget: Budget;

  constructor(options: NetfilterOptions) {
    this.#options = options;
    this.#rulesets = new Rulesets(options.addon, options.now);
    this.#budget = new Budget(options.now, BUDGET_MS);
  }

  explain(drop: DropReader, scene: Scene, surroundings: Surroundings): NetfilterAnswer {
    const { hooks, doubt } = hooksOf(drop, scene);
    const ruleset = this.#rulesets.find(drop.netns, drop.family === 6 ? 6 : 4, hooks, lastNs(drop));
    const staleAtMs = this.#options.now() + TTL_MS;
    if (ruleset.kind === 'unknown')
      return { rpf: unknown(`the rules are not known: ${ruleset.why}`), staleAtMs };
    if (!ruleset.hasCheck && !ruleset.isCut) return { rpf: NOT_RPF, staleAtMs };
    const answer = this.#budget.spend(() => this.#judge(drop, scene, surroundings, ruleset, hooks, doubt));
    return { ...(answer ?? { rpf: unknown('too many drops at once') }), staleAtMs };
  }

  #judge(
    drop: DropReader,
    scene: Scene,
    surroundings: Surroundings,
    ruleset: ReadRuleset,
    hooks: ReadonlySet<Hook>,
    doubt: string | undefined,
  ): Omit<NetfilterAnswer, 'staleAtMs'> {
    const packet = {
      src: drop.src,
      dst: drop.dst,
      ifindex: drop.ifindex,
      isLoopback: scene.device.role === 'loopback',
    };
    const routeOf = onceEach((rule: Rule) =>
      rule.check ? this.#options.routes.find(lookupOf(drop, rule.check)).evidence.route : NO_CHECK,
    );
    const given: Case = {
      fields: fieldsOf(drop),
      hooks,
      isSure: doubt === undefined,
      doubt,
      mayBe: (kind) => mayBe(kind, scene.location, this.#options.hasSourceReasons()),
      routeOf,
      outcomeOf: (rule) => (rule.check ? outcomeOf(rule.check, packet, routeOf(rule)) : 'unknown'),
      countsAreFresh: lastNs(drop) < ruleset.readNs,
    };
    return describe(judge(ruleset, given), given, ruleset, drop, scene, surroundings);
  }
}

/**
 * A judgement asks many times for the way back of a rule, and lookups may take no more than their share of the time: on a slow machine the later
 * questions of the same judgement would find none left.
 */
function onceEach(find: (rule: Rule) => ReverseRoute): (rule: Rule) => ReverseRoute {
  const found = new Map<Rule, ReverseRoute>();
  return (rule) => {
    const route = found.get(rule) ?? find(rule);
    found.set(rule, route);
    return route;
  };
}

/** The kernel gives this reason since v5.18; before it only the place tells. */
export function isNetfilterDrop({ reason, location }: Scene): boolean {
  if (reason === 'NETFILTER_DROP') return true;
  return (reason === undefined || reason === 'NOT_SPECIFIED') && IN_NETFILTER.test(location);
}

function describe(
  judgement: Judgement,
  given: Case,
  ruleset: ReadRuleset,
  drop: DropReader,
  scene: Scene,
  { place, isPodDevice, kernelAccepts }: Surroundings,
): Omit<NetfilterAnswer, 'staleAtMs'> {
  const device = scene.device.name ?? 'the device';
  switch (judgement.kind) {
    case 'unknown':
      return { rpf: unknown(judgement.why) };
    case 'other': {
      const { passed } = judgement;
      if (passed === undefined) return { rpf: NOT_RPF };
      const explanation = `${whereIs(passed)} checks the reverse path and lets ${drop.src} from ${device} pass; another rule of netfilter dropped it`;
      return { rpf: { verdict: 'not_rpf', explanation } };
    }
    case 'check': {
      const check = judgement.suspect.check as Rule;
      const route = given.routeOf(check);
      const where = place();
      const ailment = {
        suspect: { ...judgement.suspect, check },
        ruleset,
        passage: given,
        src: drop.src,
        device,
      };
      const cure =
        scene.device.name === undefined
          ? { fix_unknown: 'the device is not known' }
          : findRuleCure({ ...ailment, isPodDevice, route, kernelAccepts }, where);
      const rule = describeRule(check);
      return {
        rpf: {
          verdict: 'netfilter_rpfilter',
          confidence: judgement.confidence,
          confidence_why: judgement.why,
          rule,
          explanation: sentence(judgement.confidence, check, drop.src, device, route),
          ...cure,
          fix_where: cure.fix && where.where,
        },
        route,
      };
    }
  }
}

function sentence(confidence: string, rule: Rule, src: string, device: string, route: ReverseRoute): string {
  const text = textOf(rule);
  const sure =
    confidence === 'certain'
      ? 'drops it'
      : `${confidence === 'likely' ? 'most likely' : 'possibly'} dropped it`;
  const writer = writerOf(rule);
  const again = writer ? `; ${writer} writes this rule, and will write it again` : '';
  const what =
    rule.check?.matches === 'refused' ? `${sure}` : `lets it not pass, and what comes behind ${sure}`;
  return `${src} arrived on ${device}, but ${way(route)}; ${whereIs(rule)} "${text}" ${what}${again}`;
}

function whereIs({ kind, native }: Rule): string {
  const { table, chain, number, handle } = native;
  if (kind === 'nft')
    return `rule handle ${handle} of chain ${chain} in nftables' table ${familyWord(native.family)} ${table}`;
  const program = kind === 'iptables_legacy' ? 'iptables-legacy' : 'iptables';
  return `rule ${number} of chain ${chain} in ${program}' table ${table}`;
}

/** Who is known to write such rules, and to write them again. */
function writerOf({ native: { table, chain } }: Rule): string | undefined {
  if (table === 'firewalld') return 'firewalld';
  return chain.startsWith('cali-') || table === 'calico' ? 'Calico' : undefined;
}

/** Before its route a packet is in ingress or prerouting. Some tunnels hang other things where the route would be. */
function hooksOf(
  drop: DropReader,
  { device }: Scene,
): { hooks: ReadonlySet<Hook>; doubt: string | undefined } {
  if (device.master !== undefined)
    return {
      hooks: BEFORE,
      doubt: `${device.name} belongs to ${device.master}, whose own rules are not read`,
    };
  if (!(drop.flags & FLAGS.ROUTED)) return { hooks: BEFORE, doubt: undefined };
  if (OWN_ROUTES.has(device.role)) return { hooks: ALL, doubt: 'in which hook it died is not known' };
  return { hooks: BEHIND, doubt: 'in which hook behind its routing it died is not known' };
}

/**
 * nft_do_chain() frees what its rules drop, the policy's share too; before v6.12 or so nf_hook_slow() did. It still does for
 * x_tables.
 */
function mayBe(kind: Rule['kind'], location: string, isNew: boolean): boolean {
  if (location.startsWith('nft_do_chain')) return kind !== 'iptables_legacy';
  return kind === 'iptables_legacy' || !(isNew && location.startsWith('nf_hook_slow'));
}

function lookupOf({ netns, src, dst, mark, ifindex }: DropReader, check: Check): Lookup {
  const isV6 = src.includes(':');
  const asksForDevice = isV6 && (isLinkLocal(src) || (check.isRpfilter && !check.isLoose));
  return {
    netns,
    src,
    dst,
    mark: check.usesMark ? mark : 0,
    by: 'netfilter',
    ...(asksForDevice && { oif: ifindex }),
  };
}

function isLinkLocal(address: string): boolean {
  return /^fe[89ab]/i.test(address);
}

function lastNs({ timeLow, timeHigh }: DropReader): bigint {
  return (BigInt(timeHigh) << 32n) | BigInt(timeLow);
}

function unknown(why: string): Omit<Rpf, 'mode'> {
  return { verdict_unknown: `netfilter_rpfilter or not_rpf: ${why}` };
}

/** Rules move while packets stay the same. */
const TTL_MS = 1000;
const NOT_RPF: Omit<Rpf, 'mode'> = { verdict: 'not_rpf' };
const NO_CHECK: ReverseRoute = { kind: 'unknown', why: 'the rule looks up nothing' };
/** Of each second, for going through rules and looking up routes. */
const BUDGET_MS = 100;
const IN_NETFILTER = /^(nf_hook_slow|nft_do_chain)/;
const BEFORE: ReadonlySet<Hook> = new Set<Hook>(['ingress', 'prerouting']);
const BEHIND: ReadonlySet<Hook> = new Set<Hook>(['input', 'forward']);
const ALL: ReadonlySet<Hook> = new Set<Hook>([...BEFORE, ...BEHIND]);
/** Devices whose packets have a route, or something in its place, from the start: metadata of tunnels, looped packets. */
const OWN_ROUTES: ReadonlySet<string> = new Set([
  'loopback',
  'vxlan',
  'geneve',
  'tunnel',
  'cilium_overlay',
  'vrf',
]);
