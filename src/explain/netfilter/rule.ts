import { endianness } from 'node:os';
import type { FilterRule } from '../../events.js';
import type { NativeCondition, NativeRule } from '../../native.js';

/** How a rule checks the reverse path. */
export interface Check {
  /** Which packets match the rule. */
  readonly matches: 'refused' | 'accepted';
  readonly isLoose: boolean;
  readonly usesMark: boolean;
  readonly acceptLocal: boolean;
  /** The rpfilter match of x_tables; else the fib expression of nf_tables. */
  readonly isRpfilter: boolean;
}

export type Hook = FilterRule['hook'];

/** A rule of netfilter as it is reasoned about. */
export interface Rule {
  readonly kind: FilterRule['kind'];
  readonly hook: Hook;
  readonly verdict: 'drop' | 'accept' | 'return' | 'goto' | 'other';
  readonly check: Check | undefined;
  readonly native: NativeRule;
}

/** What conditions look at. */
export type Fields = ReadonlyMap<number, Uint8Array>;

/** As NativeAddon.ruleset() takes them. */
export function hookBits(hooks: ReadonlySet<Hook>): number {
  return [...hooks].reduce((bits, hook) => bits | (1 << HOOKS.indexOf(hook)), 0);
}

export function readRule(native: NativeRule): Rule {
  return {
    kind: KINDS[native.kind] ?? 'nft',
    hook: HOOKS[native.hook] ?? 'prerouting',
    verdict: VERDICTS[native.verdict] ?? 'other',
    check: native.check === 0 ? undefined : readCheck(native.check),
    native,
  };
}

function readCheck(bits: number): Check {
  return {
    matches: bits & CHECK.REFUSED ? 'refused' : 'accepted',
    isLoose: (bits & CHECK.LOOSE) !== 0,
    usesMark: (bits & CHECK.MARK) !== 0,
    acceptLocal: (bits & CHECK.ACCEPT_LOCAL) !== 0,
    isRpfilter: (bits & CHECK.XT) !== 0,
  };
}

/** Whether the conditions hold for a packet, its check of the reverse path aside. */
export function holds({ native }: Rule, fields: Fields): 'yes' | 'no' | 'maybe' {
  let answer: 'yes' | 'maybe' = native.more ? 'maybe' : 'yes';
  for (const condition of native.conditions) {
    const field = fields.get(condition.field);
    if (field === undefined) answer = 'maybe';
    else if (isMet(condition, field) === condition.negate) return 'no';
  }
  return answer;
}

function isMet({ value, mask }: NativeCondition, field: Uint8Array): boolean {
  return value.every((byte, index) => ((field[index] ?? 0) & (mask[index] ?? 0)) === byte);
}

/** As an event has it. */
export function describeRule(rule: Rule): FilterRule {
  const { native } = rule;
  return {
    kind: rule.kind,
    family: familyWord(native.family),
    table: native.table,
    chain: native.chain,
    hook: rule.hook,
    handle: native.handle || undefined,
    number: native.number || undefined,
    check: rule.check?.isLoose ? 'loose' : 'strict',
    text: textOf(rule),
    comment: native.comment,
    packets: native.packets,
  };
}

/** Of its table, as nft(8) has it. */
export function familyWord(family: number): FilterRule['family'] {
  return FAMILIES[family] ?? 'ip';
}

/** The rule in the words of the program that made it. What was not understood is "...". */
export function textOf(rule: Rule): string {
  const { native } = rule;
  const own = native.conditions.slice(native.ownFrom, native.ownTo);
  if (native.isPolicy) return 'policy drop';
  return (rule.kind === 'nft' ? nftWords(rule, own) : iptablesWords(rule, own)).join(' ');
}

function nftWords({ native, check, verdict }: Rule, conditions: readonly NativeCondition[]): string[] {
  return [
    ...conditions.map((condition) => nftCondition(condition)),
    ...(native.ownMore ? ['...'] : []),
    ...(check ? nftCheck(check) : []),
    native.via === undefined ? verdictWord(verdict) : `jump ${native.via}`,
  ];
}

function nftCheck({ matches, isLoose, usesMark }: Check): string[] {
  const key = ['saddr', ...(usesMark ? ['mark'] : []), ...(isLoose ? [] : ['iif'])].join(' . ');
  return [`fib ${key} oif ${matches === 'refused' ? 'missing' : 'exists'}`];
}

function verdictWord(verdict: Rule['verdict']): string {
  return verdict === 'other' ? '...' : verdict;
}

function nftCondition({ field, negate, value, mask }: NativeCondition): string {
  const not = negate ? '!= ' : '';
  switch (field) {
    case FIELD.IIFNAME:
      return `iifname ${not}"${deviceName(value, '*')}"`;
    case FIELD.IIF:
      return `iif ${not}${number(value)}`;
    case FIELD.MARK:
      return number(mask) === ALL_BITS
        ? `meta mark ${not}${hex(value)}`
        : `meta mark & ${hex(mask)} ${negate ? '!=' : '=='} ${hex(value)}`;
    case FIELD.NFPROTO:
      return `meta nfproto ${not}${value[0] === NFPROTO_IPV6 ? 'ipv6' : 'ipv4'}`;
    case FIELD.L4PROTO:
      return `meta l4proto ${not}${value[0]}`;
    default:
      return '...';
  }
}

function iptablesWords({ native, check, verdict }: Rule, conditions: readonly NativeCondition[]): string[] {
  return [
    ...conditions.map((condition) => iptablesCondition(condition)),
    ...(native.ownMore ? ['...'] : []),
    ...(check ? iptablesCheck(check) : []),
    '-j',
    native.via ?? verdictWord(verdict).toUpperCase(),
  ];
}

function iptablesCheck({ matches, isLoose, usesMark, acceptLocal }: Check): string[] {
  return [
    '-m rpfilter',
    ...(isLoose ? ['--loose'] : []),
    ...(usesMark ? ['--validmark'] : []),
    ...(acceptLocal ? ['--accept-local'] : []),
    ...(matches === 'refused' ? ['--invert'] : []),
  ];
}

function iptablesCondition({ field, negate, value, mask }: NativeCondition): string {
  const not = negate ? '! ' : '';
  switch (field) {
    case FIELD.IIFNAME:
      return `${not}-i ${deviceName(value.slice(0, mask.lastIndexOf(0xff) + 1), '+')}`;
    case FIELD.MARK:
      return `-m mark ${not}--mark ${hex(value)}/${hex(mask)}`;
    case FIELD.L4PROTO:
      return `${not}-p ${value[0]}`;
    default:
      return '...';
  }
}

/** A name that does not end within the compared bytes is the beginning of names. */
function deviceName(value: readonly number[], wildcard: string): string {
  const end = value.indexOf(0);
  const name = Buffer.from(value.slice(0, end < 0 ? value.length : end)).toString('latin1');
  const isPrefix = end < 0 && value.length < DEVICE_BYTES;
  return isPrefix && !name.endsWith(wildcard) ? `${name}${wildcard}` : name;
}

function number(bytes: readonly number[]): number {
  const view = new DataView(Uint8Array.from(bytes).buffer);
  return bytes.length === 4 ? view.getUint32(0, endianness() === 'LE') : 0;
}

function hex(bytes: readonly number[]): string {
  return `0x${number(bytes).toString(16)}`;
}

/** Numbers of native/core/rpf_ruleset.h. */
const KINDS: readonly (FilterRule['kind'] | undefined)[] = [
  undefined,
  'nft',
  'iptables_nft',
  'iptables_legacy',
];
const HOOKS: readonly (Hook | undefined)[] = [undefined, 'ingress', 'prerouting', 'input', 'forward'];
const VERDICTS: readonly (Rule['verdict'] | undefined)[] = [
  undefined,
  'drop',
  'accept',
  'return',
  'goto',
  'other',
];
const CHECK = { REFUSED: 1, ACCEPTED: 2, LOOSE: 4, MARK: 8, ACCEPT_LOCAL: 16, XT: 32 };
export const FIELD = {
  IIFNAME: 1,
  IIF: 2,
  MARK: 3,
  NFPROTO: 4,
  ETHERTYPE: 5,
  L4PROTO: 6,
  SRC: 7,
  DST: 8,
} as const;
/** NFPROTO_*, include/uapi/linux/netfilter.h */
const NFPROTO_IPV6 = 10;
const FAMILIES: Readonly<Record<number, FilterRule['family']>> = {
  1: 'inet',
  2: 'ip',
  5: 'netdev',
  [NFPROTO_IPV6]: 'ip6',
};
const ALL_BITS = 0xffff_ffff;
const DEVICE_BYTES = 16;
