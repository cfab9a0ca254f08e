import { afterAll, beforeAll, expect } from 'vitest';
import type { DropEvent, StartEvent, StopEvent, TraceEvent } from '../../../src/events.js';
import type { LabDrop } from '../../../src/lab/cases.js';
import { Lab } from '../../../src/lab/lab.js';
import { PLACES, type Place } from '../../../src/lab/topology.js';
import { type Ended, parseEvents, startOf, startTrace, stopOf } from '../../process/support/program.js';

/** A lab of the test file's own, there from its first test to its last. */
export function useLab(): Lab {
  const lab = new Lab(`rpfk${process.pid}n${++labs}`);
  beforeAll(async () => {
    await lab.up();
  });
  afterAll(() => lab.down());
  return lab;
}

/** Runs the work in a lab of its own. */
export async function withLab(work: (lab: Lab) => Promise<void>): Promise<void> {
  await using lab = await new Lab(`rpfk${process.pid}n${++labs}`).up();
  await work(lab);
}

let labs = 0;

/** What a trace of some work told. */
export interface Traced<T> {
  /** What the work returned. */
  readonly result: T;
  readonly events: readonly TraceEvent[];
  readonly drops: readonly DropEvent[];
  readonly start: StartEvent;
  readonly stop: StopEvent;
  readonly ended: Ended;
}

/** Runs bin/rpftrace until the work is done. Nothing is provoked before it is attached. */
export async function runTrace<T>(args: readonly string[], work: () => Promise<T>): Promise<Traced<T>> {
  const trace = await startTrace(['-o', 'ndjson', ...args]);
  try {
    const result = await work();
    const ended = await trace.stop();
    const events = parseEvents(ended.stdout);
    return { result, events, drops: dropsOf(events), start: startOf(events), stop: stopOf(events), ended };
  } finally {
    trace.kill('SIGKILL');
  }
}

/** Only the drops of a lab. */
export function inLab(lab: Lab, places: readonly Place[] = PLACES): string[] {
  return places.flatMap((place) => ['--netns', lab.path(place)]);
}

/** The drops of packets in a lab, with the places that they happened in. */
export function locate(lab: Lab, drops: readonly DropEvent[]): LabDrop[] {
  return drops.flatMap((event) => {
    const place = lab.placeOf(event.device.netns);
    return place && event.device.name_unknown !== 'no_device' ? [{ place, event }] : [];
  });
}

export function dropsOf(events: readonly TraceEvent[]): DropEvent[] {
  return events.filter((event) => event.kind === 'drop');
}

export function lostOf(events: readonly TraceEvent[]): number {
  return events.reduce(
    (sum, event) => (event.kind === 'lost' && event.where !== 'sysctl' ? sum + event.count : sum),
    0,
  );
}

/** Sum of count over the drops that satisfy this. */
export function count(
  drops: readonly DropEvent[],
  satisfies: (drop: DropEvent) => boolean = () => true,
): number {
  return drops.reduce((sum, drop) => (satisfies(drop) ? sum + drop.count : sum), 0);
}

/** The account of a namespace in the stop event. */
export function accountOf(stop: StopEvent, netns: number): StopEvent['netns'][number] | undefined {
  return stop.netns.find((account) => account.netns === netns);
}

/**
 * The kernel agrees about this namespace, and disagrees about none. What else comes and goes on this machine meanwhile may
 * be unknown.
 */
export function expectReconciled(stop: StopEvent, account: Partial<StopEvent['netns'][number]>): void {
  expect(stop.netns).toContainEqual(expect.objectContaining({ ...account, reconciled: true }));
  expect(stop.netns.filter(({ reconciled }) => reconciled === false)).toEqual([]);
  expect(stop.reconciled).toBe(stop.netns.every(({ reconciled }) => reconciled) ? true : null);
}
