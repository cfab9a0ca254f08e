import type { Member } from './member.js';

export interface Patience {
  /** How much later an event may come than one that happened after it, ms. */
  readonly windowMs: number;
  /** How long a server is waited for that tells of the past, and says nothing, ms. */
  readonly patienceMs: number;
}

/** All that happened before has come, ms since 1970, as far as events of one server stand in order. */
export function horizonOf(members: Iterable<Member>, patience: Patience): number {
  const now = performance.now();
  let knownMs = Date.now();
  for (const member of members) {
    if (member.markMs < knownMs && isWaitedFor(member, patience, now)) knownMs = member.markMs;
  }
  return knownMs;
}

/** So long that what it told meanwhile may come too late, if the others do not wait. */
export function isPausedForLong({ pausedMs }: Member, windowMs: number, now: number): boolean {
  return pausedMs !== undefined && now - pausedMs > windowMs / 2;
}

function isWaitedFor(member: Member, { windowMs, patienceMs }: Patience, now: number): boolean {
  const { isCatchingUp, isBehind, heardMs, state } = member;
  if (state.kind === 'silent' || state.kind === 'ended') return false;
  if (isPausedForLong(member, windowMs, now) || isBehind) return true;
  return isCatchingUp && now - heardMs < patienceMs;
}
