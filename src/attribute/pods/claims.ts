import type { Key, Pod } from './pod.js';

/** A pod's hold of a key. Milliseconds since the epoch. */
interface Claim {
  readonly pod: Pod;
  /** Not before: the pod was not there. */
  fromMs: number;
  /** From here on for certain: somebody told of it. */
  sureMs: number;
  /** Not after; Infinity as long as it has it. */
  untilMs: number;
}

/** Pods of which each may have had the key at that moment. */
export class Rivals {
  readonly pods: readonly Pod[];

  constructor(pods: readonly Pod[]) {
    this.pods = pods;
  }
}

/**
 * Who has an address, a device or a network namespace, and who had it. A key belongs to one pod at a time and goes from one
 * to the next. When it went is known within bounds only: a pod cannot have it before it was made, had it when it was told
 * of, and lost it before its end was told, but not long before. Where these bounds leave two, nobody is named.
 */
export class Claims {
  readonly #claims = new Map<Key, Claim[]>();
  readonly #onChange: (key: Key) => void;
  /** Whether all that find() gave since this was set to true holds for later moments too. */
  isLasting = true;

  constructor(onChange: (key: Key) => void) {
    this.#onChange = onChange;
  }

  /** A pod that was made at `fromMs` is found to have the key. */
  take(key: Key, pod: Pod, fromMs: number, nowMs: number): void {
    const claims = this.#claims.get(key) ?? [];
    const own = claims.find((claim) => claim.pod === pod);
    if (own?.untilMs === OPEN && own.fromMs === fromMs) return;
    if (own) {
      if (own.untilMs !== OPEN && claims.length > 1) own.sureMs = nowMs;
      own.fromMs = fromMs;
      own.untilMs = OPEN;
    } else {
      claims.push({ pod, fromMs, sureMs: nowMs, untilMs: OPEN });
      this.#claims.set(key, claims.slice(-MAX_CLAIMS));
    }
    endOlder(claims);
    this.#onChange(key);
  }

  /** The pod has it no more, though it stays known that it had. */
  release(key: Key, pod: Pod, nowMs: number): void {
    const own = this.#claims.get(key)?.find((claim) => claim.pod === pod);
    if (own === undefined) return;
    own.untilMs = Math.min(own.untilMs, nowMs);
    this.#onChange(key);
  }

  forget(key: Key, pod: Pod): void {
    const left = this.#claims.get(key)?.filter((claim) => claim.pod !== pod);
    if (left === undefined) return;
    if (left.length > 0) this.#claims.set(key, left);
    else this.#claims.delete(key);
    this.#onChange(key);
  }

  /** Who had the key at `timeMs`; where nobody had, who had it last. */
  find(key: Key, timeMs: number): Pod | Rivals | undefined {
    const claims = this.#claims.get(key);
    if (claims === undefined) return undefined;
    this.isLasting &&= claims.every((claim) => isSettled(claim, claims.length, timeMs));
    const possible = claims.filter(({ fromMs, untilMs }) => fromMs <= timeMs && timeMs < untilMs);
    if (possible.length === 0) return lastBefore(claims, timeMs)?.pod;
    if (possible.length === 1) return (possible[0] as Claim).pod;
    const certain = possible.filter((claim) => isCertain(claim, possible, timeMs));
    if (certain.length === 1) return (certain[0] as Claim).pod;
    return new Rivals(possible.map((claim) => claim.pod));
  }
}

/** Of two that are said to have it now, the one has it that was made later and told of later. */
function endOlder(claims: readonly Claim[]): void {
  const open = claims.filter((claim) => claim.untilMs === OPEN);
  for (const claim of open) {
    const next = open.find((other) => other !== claim && isNext(other, claim));
    if (next) claim.untilMs = next.sureMs;
  }
}

function isNext(next: Claim, claim: Claim): boolean {
  if (next.sureMs === claim.sureMs) return next.fromMs > claim.fromMs;
  return next.sureMs > claim.sureMs && (next.fromMs >= claim.fromMs || next.fromMs === ANY_TIME);
}

/** Whether it was told of before, its end is not near, and no other one was told of since or seems to be younger. */
function isCertain(claim: Claim, possible: readonly Claim[], timeMs: number): boolean {
  if (claim.sureMs > timeMs || timeMs >= claim.untilMs - LAG_MS) return false;
  return !possible.some(
    (other) =>
      (other.sureMs > claim.sureMs && timeMs >= other.sureMs - LAG_MS) ||
      (other.fromMs > claim.fromMs && other.untilMs === OPEN),
  );
}

/** Whether no moment from this one on divides what is known of it. */
function isSettled({ fromMs, sureMs, untilMs }: Claim, count: number, timeMs: number): boolean {
  if (fromMs > timeMs) return false;
  return count === 1 || (sureMs <= timeMs && (untilMs <= timeMs || untilMs === OPEN));
}

function lastBefore(claims: readonly Claim[], timeMs: number): Claim | undefined {
  return claims
    .filter(({ untilMs }) => untilMs <= timeMs)
    .reduce<Claim | undefined>(
      (last, claim) => (last && last.untilMs > claim.untilMs ? last : claim),
      undefined,
    );
}

/** Nobody knows when the pod was made. */
export const ANY_TIME = Number.NEGATIVE_INFINITY;
const OPEN = Number.POSITIVE_INFINITY;
/** How long after the fact a source may tell that a pod is gone. */
const LAG_MS = 15_000;
/** Of one key: those who had it within the time that pods stay known after their end. */
const MAX_CLAIMS = 8;
