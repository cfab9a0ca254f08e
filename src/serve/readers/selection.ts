import type { TraceEvent } from '../../events.js';
import type { Filters } from '../../filters/filters.js';
import type { Facts, PodOfEvent } from '../history/facts.js';

/** Says which events a reader wants. */
export type Selection = (facts: Facts) => boolean;

/** Undefined where all are wanted: then lines need not be looked at one by one. */
export function selectionOf(
  { described, pods }: Pick<Filters, 'described' | 'pods'>,
  kinds: readonly TraceEvent['kind'][],
): Selection | undefined {
  const { reasons, devices, netns } = described;
  const tests: Selection[] = [];
  if (kinds.length > 0) tests.push(({ kind }) => kinds.includes(kind));
  if (reasons) tests.push((facts) => isAnyOf(facts.reasons, (reason) => reasons.includes(reason)));
  if (devices) tests.push((facts) => isAnyOf(facts.devices, devicePattern(devices)));
  if (netns) tests.push((facts) => facts.netns === undefined || netns.includes(facts.netns));
  if (pods) tests.push((facts) => isAnyOf(facts.pods, (pod: PodOfEvent) => pods.wants(pod)));
  if (tests.length === 0) return undefined;
  return (facts) => tests.every((test) => test(facts));
}

function isAnyOf<T>(values: readonly T[] | undefined, test: (value: T) => boolean): boolean {
  return values === undefined || values.some(test);
}

/** A name, or the start of one and a star. */
function devicePattern(patterns: readonly string[]): (name: string) => boolean {
  const names = new Set(patterns);
  const starts = patterns.filter((pattern) => pattern.endsWith('*')).map((pattern) => pattern.slice(0, -1));
  return (name) => names.has(name) || starts.some((start) => name.startsWith(start));
}
