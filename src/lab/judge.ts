import type { StartEvent } from '../events.js';
import type { ExpectedDrop, LabCase, LabDrop, Refusal } from './cases.js';
import type { Provoked } from './provoke.js';
import { allOfDrop, allOfExpected } from './words.js';

/**
 * Holds what came against what the case expects. Returns every difference in words; none when all is as expected. What a hook
 * has to see that the tracer has not is expected by nobody.
 */
export function judge(
  labCase: LabCase,
  count: number,
  provoked: Provoked,
  drops: readonly LabDrop[],
  hooks: StartEvent['hooks'] = [],
): string[] {
  return [
    ...expectedWith(labCase, hooks).flatMap((expected) => judgeDrops(expected, count, drops)),
    ...drops.filter((drop) => !isExpected(labCase, drop)).map((drop) => `not expected: ${allOfDrop(drop)}`),
    ...judgeCounters(labCase, count, provoked),
  ];
}

/** What the case expects of a tracer with these hooks. */
export function expectedWith({ expect }: LabCase, hooks: StartEvent['hooks']): readonly ExpectedDrop[] {
  return expect.filter(
    ({ hook }) => hook === undefined || hooks.some(({ name }) => name.endsWith(`/${hook}`)),
  );
}

/** Whether a drop is of the kind that is expected. */
export function matches({ place, event }: LabDrop, expected: ExpectedDrop): boolean {
  return (
    place === expected.in &&
    event.device.name === expected.device &&
    // Kernels before v5.17 give no reason.
    (event.reason === undefined || expected.reasons.includes(event.reason)) &&
    contains(event.packet, expected.packet) &&
    contains(event.rpf?.mode, expected.mode ?? {})
  );
}

/**
 * Holds what is said of the refused sources against what the case expects. The routes of the drops must be those of the moment:
 * a trace that has seen other cases may still have theirs.
 */
export function judgeRefusals(labCase: LabCase, drops: readonly LabDrop[]): string[] {
  return labCase.expect.flatMap((expected) =>
    drops
      .filter((drop) => matches(drop, expected) && !isSpared(expected.refusal, drop))
      .flatMap((drop) => judgeRefusal(expected, drop)),
  );
}

/** One of so many sources that not each is looked at: said to be unknown, and why. */
function isSpared(refusal: Refusal | undefined, { event }: LabDrop): boolean {
  const { verdict, verdict_unknown } = event.rpf ?? {};
  return refusal?.many === true && verdict === undefined && /too many sources/.test(verdict_unknown ?? '');
}

function judgeRefusal({ refusal, rule }: ExpectedDrop, drop: LabDrop): string[] {
  const { verdict, verdict_unknown, confidence, confidence_why, reverse_route, contradiction, ...rpf } =
    drop.event.rpf ?? {};
  const isAsExpected = refusal ? verdict === refusal.verdict : verdict === undefined || verdict === 'not_rpf';
  return [
    !isAsExpected &&
      `verdict ${verdict ?? `unknown (${verdict_unknown})`} instead of ${refusal?.verdict ?? 'not_rpf'}`,
    refusal?.confidence !== confidence &&
      `confidence ${confidence ?? 'none'} (${confidence_why}) instead of ${refusal?.confidence ?? 'none'}`,
    !contains(rpf.rule, rule ?? {}) && `a rule instead of ${JSON.stringify(rule)}`,
    reverse_route?.lookup !== refusal?.lookup &&
      `lookup ${reverse_route?.lookup ?? 'succeeded'} instead of ${refusal?.lookup ?? 'success'}`,
    contradiction !== undefined && `contradiction: ${contradiction}`,
  ].flatMap((difference) => (difference ? [`${difference}: ${allOfDrop(drop)}`] : []));
}

function judgeDrops(expected: ExpectedDrop, count: number, drops: readonly LabDrop[]): string[] {
  const came = drops
    .filter((drop) => matches(drop, expected))
    .reduce((sum, drop) => sum + drop.event.count, 0);
  const wanted = count * (expected.perPacket ?? 1);
  return came === wanted ? [] : [`expected ${allOfExpected(expected, wanted)}; came ${came}`];
}

function isExpected(labCase: LabCase, drop: LabDrop): boolean {
  return [...labCase.expect, ...(labCase.tolerate ?? [])].some((expected) => matches(drop, expected));
}

function judgeCounters(labCase: LabCase, count: number, { sent, received, rise }: Provoked): string[] {
  const { reversePathFilter = 0, martians = 0 } = labCase;
  return [
    sent.refused > 0 && `${sent.refused} packets were dropped on their way out`,
    labCase.receive && received !== count && `${count} packets were to get through; came ${received}`,
    rise.reversePathFilter !== reversePathFilter * count &&
      `IPReversePathFilter was to rise by ${reversePathFilter * count}; rose by ${rise.reversePathFilter}`,
    // Others on this machine may make it rise as well.
    rise.martians < martians * count &&
      `in_martian_src was to rise by ${martians * count} or more; rose by ${rise.martians}`,
  ].filter((difference) => typeof difference === 'string');
}

function contains(value: object | undefined, part: object): boolean {
  return Object.entries(part).every(
    ([name, wanted]) => (value as Record<string, unknown> | undefined)?.[name] === wanted,
  );
}
