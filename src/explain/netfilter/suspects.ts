import { type Fields, holds, type Rule } from './rule.js';

/** What a check of the reverse path makes of a packet, as far as the way back is known. */
export type Outcome = 'refused' | 'accepted' | 'unknown';

export interface Passage {
  readonly fields: Fields;
  /** Whether the packet is sure to have come to these hooks. */
  readonly isSure: boolean;
  /** Whether rules of this kind may have dropped it. */
  readonly mayBe: (kind: Rule['kind']) => boolean;
  readonly outcomeOf: (rule: Rule) => Outcome;
  /** Counters were read after the drop: a rule that has counted nothing has not made it. */
  readonly countsAreFresh: boolean;
}

/** A rule, or a policy, that may have dropped the packet. */
export interface Suspect {
  /** The rule that checks the reverse path; undefined where none has a part in it. */
  readonly check: Rule | undefined;
  readonly drop: Rule;
  /** The packet surely came to it, and it surely drops it: nothing behind it matters. */
  readonly isDefinite: boolean;
}

/**
 * Takes a packet through the rules of the hooks that it may have died in, as far as they and the packet are known, and gathers all that may have dropped it, in
 * their order.
 */
export function findSuspects(rules: readonly Rule[], passage: Passage): Suspect[] {
  const suspects = gather(rules, passage, passage.countsAreFresh);
  // Somebody may have set the counters to 0 in between.
  return suspects.length > 0 ? suspects : gather(rules, passage, false);
}

function gather(rules: readonly Rule[], passage: Passage, useCounts: boolean): Suspect[] {
  const suspects: Suspect[] = [];
  for (const chain of byBaseChain(rules)) {
    const found = new Walk(passage, useCounts).run(chain);
    suspects.push(...found);
    if (found.at(-1)?.isDefinite) break;
  }
  return suspects;
}

/** Takes a packet through one base chain and what is reached from it. */
class Walk {
  readonly #suspects: Suspect[] = [];
  readonly #passage: Passage;
  readonly #useCounts: boolean;
  /** Checks that would have let the packet go on elsewhere, and did not. */
  readonly #failed: Rule[] = [];
  /** Chains that the packet has left, and such that it may have left. */
  readonly #left = new Set<string>();
  readonly #doubted = new Set<string>();
  #isDoubted: boolean;

  constructor(passage: Passage, useCounts: boolean) {
    this.#passage = passage;
    this.#useCounts = useCounts;
    this.#isDoubted = !passage.isSure;
  }

  run(rules: readonly Rule[]): Suspect[] {
    for (const rule of rules) {
      if (this.#left.has(chainOf(rule))) continue;
      const answer = matches(rule, this.#passage);
      if (mayHaveFailed(rule, this.#passage)) this.#failed.push(rule);
      if (answer !== 'no' && this.#take(rule, answer === 'yes') === 'end') break;
    }
    return this.#suspects;
  }

  /** A rule that matches, or may match. */
  #take(rule: Rule, matchesSurely: boolean): 'end' | 'go on' {
    const isSure = matchesSurely && !this.#isDoubted && !this.#doubted.has(chainOf(rule));
    switch (rule.verdict) {
      case 'drop':
        return this.#drop(rule, isSure);
      case 'accept':
        this.#isDoubted = true;
        return isSure ? 'end' : 'go on';
      case 'other':
        if (this.#passage.mayBe(rule.kind))
          this.#suspects.push({ check: undefined, drop: rule, isDefinite: false });
        this.#isDoubted = true;
        return 'go on';
      default:
        (isSure ? this.#left : this.#doubted).add(chainOf(rule));
        return 'go on';
    }
  }

  #drop(rule: Rule, isSure: boolean): 'end' | 'go on' {
    const hasCountedNothing = this.#useCounts && rule.native.packets === 0;
    if (hasCountedNothing || !this.#passage.mayBe(rule.kind)) return 'go on';
    const check = rule.check ? rule : findFailed(this.#failed, rule);
    this.#suspects.push({ check, drop: rule, isDefinite: isSure });
    return isSure ? 'end' : 'go on';
  }
}

/** What a rule leaves when it returns; the policy is behind all chains. */
function chainOf({ native }: Rule): string {
  return native.isPolicy ? '' : native.chain;
}

function matches(rule: Rule, { fields, outcomeOf }: Passage): 'yes' | 'no' | 'maybe' {
  const answer = holds(rule, fields);
  if (rule.check === undefined || answer === 'no') return answer;
  const outcome = outcomeOf(rule);
  if (outcome === 'unknown') return 'maybe';
  return outcome === rule.check.matches ? answer : 'no';
}

function mayHaveFailed(rule: Rule, { fields, outcomeOf }: Passage): boolean {
  if (rule.check?.matches !== 'accepted' || rule.verdict === 'drop') return false;
  return holds(rule, fields) === 'yes' && outcomeOf(rule) !== 'accepted';
}

/** A check that accepts or returns protects from what comes behind it: from its chain, or from all of its base chain. */
function findFailed(failed: readonly Rule[], drop: Rule): Rule | undefined {
  return failed.find(
    ({ verdict, native }) =>
      verdict === 'accept' || native.chain === drop.native.chain || (drop.native.isPolicy && native.inBase),
  );
}

function byBaseChain(rules: readonly Rule[]): Rule[][] {
  const chains = new Map<number, Rule[]>();
  for (const rule of rules) {
    const chain = chains.get(rule.native.base);
    if (chain) chain.push(rule);
    else chains.set(rule.native.base, [rule]);
  }
  return [...chains.values()];
}
