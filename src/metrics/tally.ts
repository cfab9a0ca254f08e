import type { DropEvent, IncidentEvent, StartEvent, TraceEvent } from '../events.js';

/** What the events of a capture add up to. */
export class Tally {
  start: StartEvent | undefined;
  /** Incidents that were told, by the kind of their cause. */
  readonly incidents = new Map<IncidentEvent['cause']['kind'], number>();
  /** By setting and outcome. */
  readonly changes = new Map<string, { setting: string; outcome: string; count: number }>();
  readonly #told = new Map<string, IncidentEvent>();

  take(event: Exclude<TraceEvent, DropEvent>): void {
    if (event.kind === 'start') this.start = event;
    else if (event.kind === 'incident') this.#takeIncident(event);
    else if (event.kind === 'sysctl_change') {
      const { setting, outcome } = event;
      const key = `${setting} ${outcome}`;
      this.changes.set(key, { setting, outcome, count: (this.changes.get(key)?.count ?? 0) + 1 });
    }
  }

  /** What was told last of those that are open. */
  get open(): IncidentEvent[] {
    return [...this.#told.values()].filter(({ state }) => state !== 'closed');
  }

  /** What was told last of those that are open, and of those that were closed last: who asks seldom must learn their end. */
  get recent(): IncidentEvent[] {
    return [...this.#told.values()];
  }

  #takeIncident(event: IncidentEvent): void {
    const { id, cause } = event;
    if (!this.#told.has(id)) this.incidents.set(cause.kind, (this.incidents.get(cause.kind) ?? 0) + 1);
    this.#told.delete(id);
    this.#told.set(id, event);
    if (this.#told.size <= MAX_INCIDENTS) return;
    const first = this.recent.find(({ state }) => state === 'closed') ?? this.recent[0];
    this.#told.delete((first as IncidentEvent).id);
  }
}

/** Twice as many as are open at a time at most, src/incident/incidents.ts: those that are open are never forgotten. */
const MAX_INCIDENTS = 128;
