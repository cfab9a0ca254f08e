import type { Confidence } from '../../events.js';
import type { ReverseRoute } from '../check.js';
import { type Hook, type Rule, textOf } from './rule.js';
import type { ReadRuleset } from './rulesets.js';
import { findSuspects, type Passage, type Suspect } from './suspects.js';

/** Who dropped a packet that netfilter dropped. */
export type Judgement =
  | {
      readonly kind: 'check';
      readonly suspect: Suspect;
      readonly confidence: Confidence;
      readonly why?: string;
    }
  | { readonly kind: 'other'; readonly passed: Rule | undefined }
  | { readonly kind: 'unknown'; readonly why: string };

export interface Case extends Passage {
  /** Hooks that the packet may have died in. */
  readonly hooks: ReadonlySet<Hook>;
  /** The way back as a rule's check looked it up. */
  readonly routeOf: (rule: Rule) => ReverseRoute;
  /** Why the packet may have died elsewhere than in one of its hooks. */
  readonly doubt: string | undefined;
}

/** Says whether a rule that checks the reverse path made the drop, and how sure that is. Never guesses. */
export function judge({ rules, isCut, hasCheck }: ReadRuleset, given: Case): Judgement {
  const checks = rules.filter(({ check }) => check);
  const suspects = findSuspects(rules, given);
  const suspect = suspects.find(({ check }) => check);
  if (suspect) return { kind: 'check', suspect, ...rate(suspects, suspect, given) };
  const isComplete = !isCut || suspects.at(-1)?.isDefinite === true;
  if (!isComplete) return { kind: 'unknown', why: 'there are more rules than could be read' };
  if (suspects.length > 0 || !isBeforeRouting(given.hooks)) return { kind: 'other', passed: checks[0] };
  const uncertain = checks.some((rule) => !isCertain(given.routeOf(rule)));
  if (uncertain)
    return { kind: 'unknown', why: 'whether the check of the reverse path refuses it is not certain' };
  return { kind: 'unknown', why: hasCheck ? PASSES_NOW : NOTHING_DROPS };
}

/** Certain: the packet surely came to the rule, which surely drops it, and nothing before it may have dropped it. */
function rate(
  suspects: readonly Suspect[],
  { check, isDefinite }: Suspect,
  given: Case,
): { confidence: Confidence; why?: string } {
  const others = suspects.filter((suspect) => !suspect.check);
  const reasons = [
    ...(others[0] ? [otherWords(others[0].drop, others.length)] : []),
    ...routeDoubts(given.routeOf(check as Rule)),
    ...(given.doubt === undefined ? [] : [given.doubt]),
    ...(isDefinite || given.doubt !== undefined ? [] : [NOT_DEFINITE]),
  ];
  if (reasons.length === 0) return { confidence: 'certain' };
  const why = reasons.join('; ');
  return others.length > 0 && !isDefinite ? { confidence: 'possible', why } : { confidence: 'likely', why };
}

function otherWords(rule: Rule, count: number): string {
  const name = `${rule.native.table} ${rule.native.chain} "${textOf(rule)}"`;
  return count === 1
    ? `${name} may have dropped it too`
    : `${count} others may have dropped it too, as ${name}`;
}

function routeDoubts(route: ReverseRoute): string[] {
  if (route.kind === 'unknown') return [`the way back is not known: ${route.why}`];
  return route.certain ? [] : [`the way back is not certain: ${route.uncertain ?? 'unknown why'}`];
}

function isCertain(route: ReverseRoute): boolean {
  return route.kind !== 'unknown' && route.certain;
}

function isBeforeRouting(hooks: ReadonlySet<Hook>): boolean {
  return hooks.has('prerouting') && !hooks.has('forward');
}

const NOT_DEFINITE = 'it, or one before it, has conditions that are not understood here';
const PASSES_NOW =
  'the rules that check the reverse path let it pass, and none that is there now drops it: rules or routes have changed since, or no rule did it';
const NOTHING_DROPS = 'no rule that is there now drops it: it was taken away since, or no rule did it';
