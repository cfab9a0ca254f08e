import { grouped } from '../../grouped.js';
import { printable } from '../../printable.js';
import { PlaceError } from '../place-error.js';
import type { Member } from './member.js';

/** Tells people who is silent, since when and why, and who is back: a few by name, a mass of them as one line. */
export class RollCall {
  readonly #note: (text: string) => void;
  readonly #count: () => { total: number; silent: number };
  /** When those became silent that were told as silent. */
  readonly #silent = new Map<Member, number>();
  readonly #changed = new Set<Member>();

  constructor(note: (text: string) => void, count: () => { total: number; silent: number }) {
    this.#note = note;
    this.#count = count;
  }

  changed(member: Member): void {
    this.#changed.add(member);
  }

  /** It is wanted no more. */
  forget(member: Member): void {
    this.#changed.delete(member);
    this.#silent.delete(member);
  }

  /** Tells what has changed since the last time, and has not changed back. */
  tell(): void {
    const gone: Member[] = [];
    const back: Member[] = [];
    for (const member of this.#changed) {
      const isSilent = member.state.kind === 'silent';
      if (isSilent && !this.#silent.has(member)) gone.push(member);
      if (!isSilent && this.#silent.has(member)) back.push(member);
    }
    this.#changed.clear();
    this.#tellGone(gone);
    this.#tellBack(back);
  }

  #tellGone(members: readonly Member[]): void {
    for (const member of members) this.#silent.set(member, member.sinceMs);
    for (const member of members.slice(0, NAMED))
      this.#note(`${printable(member.name)} is silent: ${whyOf(member)}`);
    if (members.length > NAMED)
      this.#note(`${grouped(members.length - NAMED)} more are silent; ${this.#sum()}`);
  }

  #tellBack(members: readonly Member[]): void {
    for (const member of members.slice(0, NAMED)) {
      const forMs = member.sinceMs - (this.#silent.get(member) ?? member.sinceMs);
      const missing =
        member.missing > 0 ? `; ${grouped(member.missing)} of its events are missing by now` : '';
      this.#note(`${printable(member.name)} is back after ${durationText(forMs)}${missing}`);
    }
    if (members.length > NAMED)
      this.#note(`${grouped(members.length - NAMED)} more are back; ${this.#sum()}`);
    for (const member of members) this.#silent.delete(member);
  }

  #sum(): string {
    const { total, silent } = this.#count();
    return `${grouped(silent)} of ${grouped(total)} are silent now`;
  }
}

/** Why a member is silent, without its name; '' for one that is not. Safe for a terminal. */
export function whyOf({ state }: Member): string {
  if (!('why' in state) || state.why === undefined) return '';
  const { why } = state;
  const [first = ''] = (why instanceof PlaceError ? why.reason : why.message).split('\n');
  return first;
}

/** "850 ms", "12 s", "3 min" */
function durationText(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return ms < 120_000 ? `${Math.round(ms / 1000)} s` : `${Math.round(ms / 60_000)} min`;
}

/** Of one second. */
const NAMED = 5;
