import type { LabCase } from './cases.js';
import { type Counters, readCounters } from './counters.js';
import type { Lab } from './lab.js';
import { Receiver } from './receiver.js';
import { type Sent, send } from './sender.js';
import type { Step } from './steps.js';

export interface Provoked {
  readonly sent: Sent;
  /** Packets that got through; only where the case says that they are taken. */
  readonly received?: number;
  /** By how much the kernel's counters rose. */
  readonly rise: Counters;
}

/**
 * Provokes a case with `count` packets, does the rest of the work while the lab is still changed, and takes the changes back.
 * Throws E_LAB.
 */
export async function provoke(
  lab: Lab,
  labCase: LabCase,
  count: number,
  signal?: AbortSignal,
  work: () => Promise<void> = async () => undefined,
): Promise<Provoked> {
  return await withSteps(lab, labCase.setup, async () => {
    const receiver = labCase.receive && (await Receiver.listen(lab, labCase.receive, RECEIVE_PORT));
    try {
      const before = await readCounters(lab, signal);
      const sent = await send(lab, labCase.provoke, { count, signal });
      const rise = difference(before, await readCounters(lab, signal));
      await work();
      return { sent, rise, ...(receiver && { received: await receiver.close() }) };
    } finally {
      await receiver?.close();
    }
  });
}

/** Does the work with the lab changed, and takes the changes back however it ends. */
export async function withSteps<T>(lab: Lab, steps: readonly Step[], work: () => Promise<T>): Promise<T> {
  const done: Step[] = [];
  try {
    for (const step of steps) {
      await lab.inside(step.in, step.run);
      done.unshift(step);
    }
    return await work();
  } finally {
    for (const step of done) await lab.inside(step.in, step.undo);
  }
}

function difference(before: Counters, after: Counters): Counters {
  return {
    reversePathFilter: after.reversePathFilter - before.reversePathFilter,
    martians: after.martians - before.martians,
  };
}

/** The destination port of all that the cases send by UDP. */
const RECEIVE_PORT = 9;
