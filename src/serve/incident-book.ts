import type { IncidentEvent } from '../events.js';

/** What was told last of each incident. Of very many the ones that were closed first are forgotten first. */
export class IncidentBook {
  readonly #incidents = new Map<string, IncidentEvent>();

  /** The oldest first. */
  get all(): IncidentEvent[] {
    return [...this.#incidents.values()];
  }

  get open(): number {
    return this.all.filter(({ state }) => state !== 'closed').length;
  }

  take(event: IncidentEvent): void {
    this.#incidents.set(event.id, event);
    if (this.#incidents.size <= MAX_INCIDENTS) return;
    const closed = this.all.find(({ state }) => state === 'closed');
    const [oldest] = this.#incidents.keys();
    this.#incidents.delete(closed?.id ?? (oldest as string));
  }
}

const MAX_INCIDENTS = 512;
