import type { Registry } from 'prom-client';
import { printable } from '../../printable.js';
import type { Tally } from '../tally.js';
import { only, sampled } from './sampled.js';

export function registerIncidents(registers: Registry[], tally: Tally): void {
  sampled({
    registers,
    kind: 'counter',
    name: 'incidents_total',
    help: 'Incidents, by what caused them.',
    labels: ['cause'],
    samples: () => CAUSES.map((cause) => [{ cause }, tally.incidents.get(cause) ?? 0] as const),
  });
  sampled({
    registers,
    kind: 'gauge',
    name: 'incidents_open',
    help: 'Incidents that are not over.',
    samples: () => only(tally.open.length),
  });
  sampled({
    registers,
    kind: 'gauge',
    name: 'incident_info',
    help: 'Always 1: what is told of each incident that is open or was closed lately, in one sentence.',
    labels: ['incident', 'state', 'cause', 'summary', 'fix'],
    samples: () => tally.recent.slice(-MAX_TOLD).map((event) => [wordsOf(event), 1] as const),
  });
  sampled({
    registers,
    kind: 'counter',
    name: 'incident_drops_total',
    help: 'Drops of each incident in rpftrace_incident_info.',
    labels: ['incident'],
    samples: () => tally.recent.slice(-MAX_TOLD).map(({ id, drops }) => [{ incident: id }, drops] as const),
  });
  sampled({
    registers,
    kind: 'counter',
    name: 'setting_writes_total',
    help: 'Writes to settings that decide about source addresses, by what became of them.',
    labels: ['setting', 'outcome'],
    samples: () => [...tally.changes.values()].map(({ count, ...labels }) => [labels, count] as const),
  });
}

function wordsOf({ id, state, cause, summary, fix }: Tally['recent'][number]): Record<string, string> {
  const isOpen = state !== 'closed';
  return {
    incident: id,
    state: isOpen ? 'open' : 'closed',
    cause: cause.kind,
    summary: printable(summary),
    fix: isOpen ? printable(fix.join(' && ')) : '',
  };
}

const CAUSES = ['sysctl_change', 'route_change', 'unknown'] as const;
/** Sentences are long, and become another series when they change. */
const MAX_TOLD = 16;
