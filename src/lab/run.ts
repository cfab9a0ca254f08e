import type { StartEvent } from '../events.js';
import type { LabCase, LabDrop } from './cases.js';
import { expectedWith, judge } from './judge.js';
import { Lab } from './lab.js';
import { type Provoked, provoke } from './provoke.js';
import { missing } from './requirements.js';
import { Witness } from './witness.js';
import { allOfDrop, dropInBrief, expectedInBrief } from './words.js';

export interface RunLabOptions {
  readonly cases: readonly LabCase[];
  /** Packets for each case. */
  readonly count: number;
  readonly print: (line: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Builds the lab, traces it, provokes each case, holds what came against what was expected, and takes the lab down.
 * Returns whether all was as expected. Throws a TracerError.
 */
export async function runLab(name: string, options: RunLabOptions): Promise<boolean> {
  await using lab = await new Lab(name).up(options.signal);
  await using witness = await Witness.open(lab);
  const outcomes: Outcome[] = [];
  for (const labCase of options.cases) outcomes.push(await runCase(lab, witness, labCase, options));
  const isReconciled = await witness.stop();
  options.print(summary(outcomes, isReconciled));
  return !outcomes.includes('not ok') && isReconciled;
}

type Outcome = 'ok' | 'not ok' | 'skipped';

async function runCase(
  lab: Lab,
  witness: Witness,
  labCase: LabCase,
  { count, print, signal }: RunLabOptions,
): Promise<Outcome> {
  signal.throwIfAborted();
  const lack = await firstMissing(lab, labCase);
  if (lack !== undefined) {
    print(`skipped ${labCase.name}: ${lack}`);
    return 'skipped';
  }
  await witness.drops(signal); // what came of trying out the requirements is not the case's
  const provoked = await provoke(lab, labCase, count, signal);
  const drops = await witness.drops(signal);
  const differences = judge(labCase, count, provoked, drops, witness.hooks);
  print(report(labCase, count, { provoked, drops, differences, hooks: witness.hooks }));
  return differences.length === 0 ? 'ok' : 'not ok';
}

/** Why a case cannot be provoked on this machine; undefined where it can. */
export async function firstMissing(lab: Lab, { requires = [] }: LabCase): Promise<string | undefined> {
  for (const requirement of requires) {
    const lack = await missing(lab, requirement);
    if (lack !== undefined) return lack;
  }
  return undefined;
}

interface CaseResult {
  readonly provoked: Provoked;
  readonly drops: readonly LabDrop[];
  readonly differences: readonly string[];
  readonly hooks: StartEvent['hooks'];
}

function report(labCase: LabCase, count: number, result: CaseResult): string {
  const { provoked, drops, differences, hooks } = result;
  return [
    `${differences.length === 0 ? 'ok' : 'not ok'} ${labCase.name}: ${labCase.about}`,
    ...expectations(labCase, count, hooks).map((line) => `    expected  ${line}`),
    ...outcome(labCase, provoked, drops).map((line) => `    came      ${line}`),
    ...differences.map((line) => `    DIFFERS   ${line}`),
  ].join('\n');
}

/** What a case expects of the kernel, in words; with hooks what these see besides. */
export function expectations(labCase: LabCase, count: number, hooks: StartEvent['hooks'] = []): string[] {
  const { receive, reversePathFilter = 0, martians = 0 } = labCase;
  const drops = expectedWith(labCase, hooks).map((expected) =>
    expectedInBrief(expected, count * (expected.perPacket ?? 1)),
  );
  return [
    ...(drops.length > 0 ? drops : ['no drop']),
    ...(receive ? [`${count} packets get through to ${receive}`] : []),
    ...counters(reversePathFilter * count, martians * count),
  ];
}

function outcome({ receive }: LabCase, { received, rise }: Provoked, drops: readonly LabDrop[]): string[] {
  return [
    ...(drops.length > 0 ? merge(drops).map(dropInBrief) : ['no drop']),
    ...(receive ? [`${received} packets got through to ${receive}`] : []),
    ...counters(rise.reversePathFilter, rise.martians),
  ];
}

function counters(reversePathFilter: number, martians: number): string[] {
  return [`IPReversePathFilter +${reversePathFilter}, in_martian_src +${martians}`];
}

/** Drops that read alike, as one. */
function merge(drops: readonly LabDrop[]): LabDrop[] {
  const merged = new Map<string, LabDrop>();
  for (const { place, event } of drops) {
    const words = allOfDrop({ place, event: { ...event, count: 1 } });
    const count = event.count + (merged.get(words)?.event.count ?? 0);
    merged.set(words, { place, event: { ...event, count } });
  }
  return [...merged.values()];
}

function summary(outcomes: readonly Outcome[], isReconciled: boolean): string {
  const number = (wanted: Outcome) => outcomes.filter((outcome) => outcome === wanted).length;
  return [
    `${number('ok')} ok, ${number('not ok')} not ok, ${number('skipped')} skipped`,
    `the trace ${isReconciled ? 'adds up to' : 'does NOT add up to'} the kernel's own counters`,
  ].join('; ');
}
