import { isPausedForLong } from './horizon.js';
import type { Member } from './member.js';

/**
 * Those of many servers that are not read for now: what they tell meanwhile they keep. Where there is no room for all, those that
 * are furthest behind are read first, as the others wait for them.
 */
export class Intake {
  readonly #windowMs: number;
  readonly #paused = new Map<Member, () => void>();
  /** Those that are read again, and have brought nothing since. */
  readonly #due = new Set<Member>();

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  /** A portion of it has come. */
  heard(member: Member): void {
    this.#due.delete(member);
  }

  /** What it returns is fulfilled when the member is read again. */
  pause(member: Member): Promise<void> {
    return new Promise((resolve) => {
      member.pausedMs = performance.now();
      this.#paused.set(member, resolve);
    });
  }

  /**
   * To be called when a portion has come: reads as many as there is room for, and where there is none the one who is due. Only
   * those that have not brought more than up to `untilMs`.
   */
  resumeSome(roomBytes: number, untilMs: number): void {
    this.#resumeFirst(Math.max(Math.floor(roomBytes / PORTION_BYTES), 1) - this.#due.size, untilMs);
  }

  /** To be called now and then: those that have brought nothing by now may have nothing, and keep nobody from being read. */
  resumeMore(roomBytes: number, untilMs: number): void {
    this.#due.clear();
    this.#resumeFirst(Math.max(Math.floor(roomBytes / PORTION_BYTES), AT_LEAST), untilMs);
  }

  #resumeFirst(count: number, untilMs: number): void {
    if (count <= 0 || this.#paused.size === 0) return;
    const members = [...this.#paused.keys()].filter(({ markMs }) => markMs <= untilMs);
    if (members.length === 0) return;
    if (count === 1) {
      this.resume(members.reduce(furtherBehind));
      return;
    }
    if (count < members.length) members.sort(byMark);
    for (const member of members.slice(0, count)) this.resume(member);
  }

  resume(member: Member): void {
    const resume = this.#paused.get(member);
    if (resume === undefined) return;
    this.#paused.delete(member);
    this.#due.add(member);
    const now = performance.now();
    if (isPausedForLong(member, this.#windowMs, now)) member.fallBehind();
    member.pausedMs = undefined;
    member.heardMs = now;
    resume();
  }
}

function furtherBehind(a: Member, b: Member): Member {
  return b.markMs < a.markMs ? b : a;
}

/** Not by their difference: who was never heard of is infinitely far behind. */
function byMark(a: Member, b: Member): number {
  if (a.markMs === b.markMs) return 0;
  return a.markMs < b.markMs ? -1 : 1;
}

/** The most that one connection brings at a time: over TLS. Plain ones bring less, the READ_BUFFER of sockets.ts. */
export const PORTION_BYTES = 64 << 10;
/** Each 50 ms: of a thousand, those that have nothing are known within some seconds. */
const AT_LEAST = 16;
