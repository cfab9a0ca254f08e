import type { Place } from '../place.js';

/** Lets only so many at a time do what costs the other side much; the others wait for their turn. */
export class Turns {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(max: number) {
    this.#free = max;
  }

  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#free--;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}

/** A place to which connections are made in turns. */
export function inTurns(place: Place, turns: Turns): Place {
  return { ...place, connect: (signal) => turns.take(() => place.connect(signal)) };
}
