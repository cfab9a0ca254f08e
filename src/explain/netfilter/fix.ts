import type { ReverseRoute } from '../check.js';
import type { CommandPlace } from '../namespace.js';
import { familyWord, type Rule } from './rule.js';
import type { ReadRuleset } from './rulesets.js';
import { findSuspects, type Outcome, type Passage, type Suspect } from './suspects.js';

/** What a cure for a drop by a rule is chosen by. */
export interface RuleAilment {
  readonly suspect: Suspect & { readonly check: Rule };
  readonly ruleset: ReadRuleset;
  readonly passage: Passage;
  readonly src: string;
  readonly device: string;
  /** Containers are behind the device. */
  readonly isPodDevice: boolean;
  readonly route: ReverseRoute;
  /** Whether rp_filter and its relatives let the source pass, with a route of its own by the device or without. */
  readonly kernelAccepts: (hasOwnRoute: boolean) => boolean;
}

/**
 * Commands of which each alone ends the drop, the least invasive first: a route for the source, a rule that lets the device's
 * packets pass, the rule taken away. Each was tried on what is known of the rules and of rp_filter.
 */
export function findRuleCure(
  ailment: RuleAilment,
  place: CommandPlace,
): { fix?: string[]; fix_unknown?: string } {
  const { kernelAccepts } = ailment;
  const words = [
    ...(kernelAccepts(true) ? routeWords(ailment) : []),
    ...(kernelAccepts(false) ? [...passWords(ailment), ...deleteWords(ailment)] : []),
  ];
  if (words.length > 0) return { fix: words.map((command) => place.command(command)) };
  const next = kernelAccepts(false) ? 'another rule' : 'rp_filter';
  return { fix_unknown: `${next} would drop it next: no command alone ends this drop` };
}

/** Not where the source may be forged: where anything may come from, or where there is a route to this one address. */
function routeWords({ isPodDevice, route, src, device, ruleset, passage }: RuleAilment): string[][] {
  if (!isPodDevice || route.kind !== 'found' || route.type !== 'unicast' || !route.certain) return [];
  const { prefix, table } = route;
  if (prefix === undefined || table === undefined || /\/(0|32|128)$/.test(prefix)) return [];
  if (!survives(ruleset.rules, { ...passage, outcomeOf: accepted })) return [];
  const isV6 = src.includes(':');
  const inTable = table === RT_TABLE_MAIN ? [] : ['table', String(table)];
  const command = isV6 ? ['ip', '-6'] : ['ip'];
  return [[...command, 'route', 'replace', `${src}/${isV6 ? 128 : 32}`, 'dev', device, ...inTable]];
}

function passWords({ suspect, ruleset, passage, device }: RuleAilment): string[][] {
  const rule = suspect.check;
  const verdict = passVerdict(rule);
  if (verdict === undefined) return [];
  const before = ruleset.rules.flatMap((other) =>
    isSameRule(other, rule) ? [passing(rule, verdict), other] : [other],
  );
  if (!survives(before, passage)) return [];
  const { table, chain, handle, number } = rule.native;
  if (rule.kind === 'nft') {
    const statement = `iifname "${device}" ${verdict}`;
    return [
      [
        'nft',
        'insert',
        'rule',
        familyWord(rule.native.family),
        table,
        chain,
        'position',
        String(handle),
        statement,
      ],
    ];
  }
  const match = ['--in-interface', device, '--jump', verdict.toUpperCase()];
  return [[iptables(rule), '--table', table, '--insert', chain, String(number), ...match]];
}

/**
 * To accept in a base chain passes over no more than its rest; elsewhere to return does. Where packets are filtered after they were
 * routed that rest is the firewall, so there it is not advised.
 */
function passVerdict({ check, verdict, native, hook }: Rule): 'accept' | 'return' | undefined {
  if (check?.matches === 'accepted')
    return verdict === 'accept' || verdict === 'return' ? verdict : undefined;
  if (!native.inBase) return 'return';
  return hook === 'prerouting' || hook === 'ingress' ? 'accept' : undefined;
}

function passing(rule: Rule, verdict: 'accept' | 'return'): Rule {
  const { native } = rule;
  return { ...rule, verdict, check: undefined, native: { ...native, conditions: [], more: false } };
}

/**
 * Without a check that accepts, all would be dropped. xtables know their rules by position only, which others move: by the time that
 * somebody pastes the command another rule may stand there.
 */
function deleteWords({ suspect, ruleset, passage }: RuleAilment): string[][] {
  const rule = suspect.check;
  if (rule.check?.matches !== 'refused' || rule.kind !== 'nft') return [];
  const without = ruleset.rules.filter((other) => !isSameRule(other, rule));
  if (!survives(without, passage)) return [];
  const { family, table, chain, handle } = rule.native;
  return [['nft', 'delete', 'rule', familyWord(family), table, chain, 'handle', String(handle)]];
}

/** Whether no rule drops the packet for sure, and no other check does. */
function survives(rules: readonly Rule[], passage: Passage): boolean {
  const suspects = findSuspects(rules, { ...passage, countsAreFresh: false });
  return !suspects.some(({ check, isDefinite }) => isDefinite || check);
}

function accepted(): Outcome {
  return 'accepted';
}

function isSameRule({ kind, native: a }: Rule, { kind: otherKind, native: b }: Rule): boolean {
  return (
    kind === otherKind &&
    a.family === b.family &&
    a.table === b.table &&
    a.chain === b.chain &&
    a.number === b.number &&
    a.isPolicy === b.isPolicy
  );
}

function iptables({ kind, native }: Rule): string {
  const program = native.family === NFPROTO_IPV6 ? 'ip6tables' : 'iptables';
  return kind === 'iptables_legacy' ? `${program}-legacy` : `${program}-nft`;
}

/** include/uapi/linux/rtnetlink.h */
const RT_TABLE_MAIN = 254;
const NFPROTO_IPV6 = 10;
