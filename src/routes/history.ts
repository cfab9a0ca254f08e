import type { RouteChange } from './change.js';

/** The changes of each network namespace in the order in which they came. Bounded: the oldest are forgotten. */
export class RouteHistory {
  readonly #changes = new Map<number, RouteChange[]>();

  add(change: RouteChange): void {
    const { netns } = change;
    const changes = this.#changes.get(netns) ?? [];
    this.#changes.delete(netns);
    if (this.#changes.size === MAX_NETNS) this.#changes.delete(this.#changes.keys().next().value as number);
    this.#changes.set(netns, changes);
    if (isAgain(changes.at(-1), change)) changes.pop();
    changes.push(change);
    if (changes.length > MAX_CHANGES) changes.shift();
  }

  forget(netns: number): void {
    this.#changes.delete(netns);
  }

  of(netns: number): readonly RouteChange[] {
    return this.#changes.get(netns) ?? [];
  }
}

/** A device says again and again that something about it changed, and a flood that there were many. */
function isAgain(last: RouteChange | undefined, { what, action, ifindex }: RouteChange): boolean {
  if (last === undefined || last.what !== what || last.ifindex !== ifindex) return false;
  return (
    what === 'many' ||
    what === 'missed' ||
    (what === 'link' && action === 'changed' && last.action === action)
  );
}

const MAX_NETNS = 64;
const MAX_CHANGES = 256;
