import type { NativeAddon } from '../../native.js';
import { monotonicNs } from '../../record/clock.js';
import { type Hook, hookBits, type Rule, readRule } from './rule.js';

/** The rules of a network namespace for packets of a family. */
export interface ReadRuleset {
  readonly kind: 'read';
  readonly rules: readonly Rule[];
  /** The last ones are missing. */
  readonly isCut: boolean;
  /** One of them checks the reverse path. */
  readonly hasCheck: boolean;
  /** CLOCK_MONOTONIC, just before they were read. */
  readonly readNs: bigint;
}

export type Ruleset = ReadRuleset | { readonly kind: 'unknown'; readonly why: string };

/**
 * Rulesets, read in the network namespace of the drop just after it. What was read before a drop is used again only for a
 * while: the longer the longer it took to read it, so that the rules of a large node cost no more than a hundredth of the
 * time. Bounded.
 */
export class Rulesets {
  readonly #addon: Pick<NativeAddon, 'ruleset'>;
  readonly #now: () => number;
  #isFirst = true;
  #sinceMs = Number.NEGATIVE_INFINITY;
  #spentMs = 0;
  readonly #entries = new Map<string, { ruleset: Ruleset; staleAtMs: number }>();

  constructor(addon: Pick<NativeAddon, 'ruleset'>, now: () => number) {
    this.#addon = addon;
    this.#now = now;
  }

  /** `dropNs`: CLOCK_MONOTONIC of the drop. */
  find(netns: number, family: 4 | 6, hooks: ReadonlySet<Hook>, dropNs: bigint): Ruleset {
    const bits = hookBits(hooks);
    const key = `${netns} ${family} ${bits}`;
    const known = this.#entries.get(key);
    const start = this.#now();
    if (known && (start < known.staleAtMs || isAfter(known.ruleset, dropNs))) return known.ruleset;
    if (this.#isSpent(start)) return known?.ruleset ?? TOO_MANY;
    const ruleset = this.#read(netns, family, bits);
    const end = this.#now();
    if (!known && this.#entries.size === MAX_ENTRIES) this.#entries.clear();
    // The very first reading also finds out what the kernel has, once for all: it tells nothing of the next one.
    const costMs = this.#isFirst ? 0 : end - start;
    this.#isFirst = false;
    this.#spentMs += costMs;
    this.#entries.set(key, { ruleset, staleAtMs: end + Math.max(LEAST_TTL_MS, costMs * REST_FACTOR) });
    return ruleset;
  }

  /** Whether the readings of this while have had their share of the time, all namespaces together. */
  #isSpent(now: number): boolean {
    if (now - this.#sinceMs >= WHILE_MS) {
      this.#sinceMs = now;
      this.#spentMs = 0;
    }
    return this.#spentMs >= SHARE_MS;
  }

  #read(netns: number, family: 4 | 6, hooks: number): Ruleset {
    if (netns === 0) return { kind: 'unknown', why: 'the drop does not say in which network namespace' };
    const readNs = monotonicNs();
    try {
      const { rules: natives, isCut } = this.#addon.ruleset(netns, family, hooks, BUDGET_MS);
      const rules = natives.map(readRule);
      const hasCheck = rules.some(({ check }) => check !== undefined);
      return { kind: 'read', rules, isCut, hasCheck, readNs };
    } catch (error) {
      return { kind: 'unknown', why: whyNot(error as Error & { errno?: number }) };
    }
  }
}

function isAfter(ruleset: Ruleset, dropNs: bigint): boolean {
  return ruleset.kind === 'read' && ruleset.readNs > dropNs;
}

function whyNot({ errno, message }: Error & { errno?: number }): string {
  if (errno === -ESRCH)
    return 'the network namespace was gone, or cannot be found, when they were to be read';
  if (errno === -EPERM) return 'they can be read only with CAP_NET_ADMIN in the network namespace';
  return message;
}

const EPERM = 1;
const ESRCH = 3;
/** Some 20,000 rules; the ring buffer holds some seconds of a flood. */
/** Of each while: a twentieth. */
const WHILE_MS = 10_000;
const SHARE_MS = 500;
const TOO_MANY: Ruleset = {
  kind: 'unknown',
  why: 'too many rulesets at once: reading them may take a twentieth of the time',
};
const BUDGET_MS = 250;
const LEAST_TTL_MS = 10;
const REST_FACTOR = 100;
const MAX_ENTRIES = 256;
