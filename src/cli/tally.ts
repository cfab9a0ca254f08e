/** Counts by name, for a summary: bounded, so that of very many names only the largest stay. */
export class Tally {
  #counts = new Map<string, number>();
  /** Of names that were forgotten. */
  #others = 0;

  add(name: string, count: number): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + count);
    if (this.#counts.size > MAX_NAMES) this.#prune();
  }

  /** Counts what has no name of its own. */
  addOthers(count: number): void {
    this.#others += count;
  }

  /** The largest `count` names, and what all others make together. */
  top(count: number): { names: [string, number][]; others: number } {
    const sorted = this.#sorted();
    const rest = sorted.slice(count).reduce((sum, [, value]) => sum + value, this.#others);
    return { names: sorted.slice(0, count), others: rest };
  }

  #sorted(): [string, number][] {
    return [...this.#counts].sort(([, a], [, b]) => b - a);
  }

  #prune(): void {
    const sorted = this.#sorted();
    for (const [, value] of sorted.slice(MAX_NAMES / 2)) this.#others += value;
    this.#counts = new Map(sorted.slice(0, MAX_NAMES / 2));
  }
}

const MAX_NAMES = 4096;
