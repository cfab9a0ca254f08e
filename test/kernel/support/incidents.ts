import type { IncidentEvent, SysctlChangeEvent, TraceEvent } from '../../../src/events.js';
import type { Lab } from '../../../src/lab/lab.js';
import { type Program, startTrace } from '../../process/support/program.js';
import { inLab } from './lab.js';

export function changesIn(events: readonly TraceEvent[]): SysctlChangeEvent[] {
  return events.filter((event) => event.kind === 'sysctl_change');
}

export function incidentsIn(events: readonly TraceEvent[]): IncidentEvent[] {
  return events.filter((event) => event.kind === 'incident');
}

/** Works with a trace of the lab's node, which ends with it. */
export async function traceUntil<T>(lab: Lab, work: (program: Program) => Promise<T>): Promise<T> {
  const trace = await startTrace(['-o', 'ndjson', ...inLab(lab, ['node'])]);
  try {
    // Settings are known from then on.
    await trace.until(({ events }) => events.some(({ kind }) => kind === 'start'));
    return await work(trace);
  } finally {
    await trace.stop();
  }
}

export async function incidentWhen(
  program: Program,
  satisfies: (incident: IncidentEvent) => boolean,
): Promise<IncidentEvent> {
  await program.until(({ events }) => incidentsIn(events).some(satisfies));
  return incidentsIn(program.events).find(satisfies) as IncidentEvent;
}
