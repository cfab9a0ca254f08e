import type { FollowState } from '../attach/follow-options.js';
import type { Place } from '../attach/place.js';
import { understood } from '../attach/received.js';
import { requestJson } from '../attach/request.js';
import type { StartEvent } from '../events.js';
import { grouped } from '../grouped.js';
import { note } from './say.js';

/** Tells people how the connection is: each trouble once, and how it ended. */
export class StateTeller {
  readonly #place: Place;
  readonly #signal: AbortSignal;
  #epoch: string | undefined;
  /** What was told of it. */
  #trouble: string | undefined;

  constructor(place: Place, signal: AbortSignal) {
    this.#place = place;
    this.#signal = signal;
  }

  tell(state: FollowState): void {
    if (state.kind === 'disconnected') this.#tellTrouble(state);
    else this.#tellConnection(state);
  }

  #tellConnection(state: Exclude<FollowState, { kind: 'disconnected' }>): void {
    const isNew = state.epoch !== this.#epoch;
    const isAgain = this.#epoch !== undefined;
    this.#epoch = state.epoch;
    this.#trouble = undefined;
    if (state.kind === 'connected') note(`attached to ${this.#place.name}`);
    else note(`attached to ${this.#place.name} again${restartText(isNew && isAgain)}: ${missingText(state)}`);
    if (isNew) void this.#introduce();
  }

  /** Of one trouble that lasts only the first word. */
  #tellTrouble({ why, isStop }: Extract<FollowState, { kind: 'disconnected' }>): void {
    const [first] = why.message.split('\n');
    if (this.#trouble === first) return;
    this.#trouble = first;
    note(`${isStop ? `${this.#place.name} has ended` : first}; trying again until it is there`);
  }

  /** What a trace says when it begins: who looks, and what it cannot see. */
  async #introduce(): Promise<void> {
    try {
      const signal = AbortSignal.any([this.#signal, AbortSignal.timeout(STATUS_MS)]);
      const status = (await requestJson(this.#place, '/v1/status', signal)) as { start?: object };
      const start = understood(status.start ?? {});
      if (start?.kind === 'start') for (const line of introduction(start)) note(line);
    } catch {
      // The events come without it.
    }
  }
}

function introduction({ node, version, kernel, time, filters, degraded }: StartEvent): string[] {
  const chosen = Object.entries(filters).map(([name, value]) => `${name} ${[value].flat().join(', ')}`);
  return [
    `${node}: rpftrace ${version} on Linux ${kernel}, capturing since ${time.slice(0, 19)}Z`,
    ...(chosen.length > 0 ? [`${node} captures only: ${chosen.join('; ')}`] : []),
    ...degraded.map(({ feature, why }) => `${node} without ${feature}: ${why}`),
  ];
}

function restartText(isRestart: boolean): string {
  return isRestart ? ', which was started again' : '';
}

function missingText({ missing }: Extract<FollowState, { kind: 'resumed' }>): string {
  const { events, unknown } = missing;
  if (events === 0 && unknown === undefined) return 'nothing is missing';
  const more = unknown === undefined ? '' : `, perhaps more: ${unknown}`;
  return `${grouped(events)} events are missing${more}`;
}

const STATUS_MS = 5000;
