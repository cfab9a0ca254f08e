/**
 * Turns the kernel's monotonic times into RFC 3339 times. Two times of one stream are as far apart as the kernel had them:
 * the offset to the wall clock is kept until it is off by more than a step of the clock (the offset of each batch is
 * measured anew and jitters by some nanoseconds, which would put events of one burst into a wrong order).
 */
export class Clock {
  #offsetNs: bigint;
  /** Whether a batch has brought the offset yet. */
  #isExact = false;
  /** CLOCK_MONOTONIC of the last batch. */
  #learnedNs = 0n;
  /** Offsets before the clock was set, the oldest first. */
  readonly #past: { readonly untilNs: bigint; readonly offsetNs: bigint }[] = [];
  /** CLOCK_MONOTONIC at which the current second began, in halves, the high one signed. */
  #startLow = 0;
  #startHigh = 0;
  #second = -1;
  #text = '';
  /** Nanoseconds since the beginning of `second`, after a call of stamp(). */
  nanos = 0;

  constructor(offsetNs: bigint = measureOffsetNs()) {
    this.#offsetNs = offsetNs;
  }

  /** Whole seconds since 1970, after a call of stamp(). */
  get second(): number {
    return this.#second;
  }

  /** "2026-11-22T09:49:05." of `second`. */
  get secondText(): string {
    return this.#text;
  }

  /**
   * CLOCK_REALTIME minus CLOCK_MONOTONIC as a batch has it, and CLOCK_MONOTONIC when it was made. What happened up to the
   * batch before a step keeps the time that the clock showed then.
   */
  learn(offsetNs: bigint, atNs: bigint): void {
    const beforeNs = this.#learnedNs;
    this.#learnedNs = atNs;
    const step = offsetNs - this.#offsetNs;
    if (this.#isExact && step < STEP_NS && step > -STEP_NS) return;
    if (this.#isExact) this.#past.push({ untilNs: beforeNs, offsetNs: this.#offsetNs });
    if (this.#past.length > MAX_STEPS) this.#past.shift();
    this.#isExact = true;
    this.#offsetNs = offsetNs;
    this.#second = -1;
  }

  /** Sets `second` and `nanos` to a monotonic time, given in halves. */
  stamp(low: number, high: number): void {
    const nanos = (high - this.#startHigh) * 0x1_0000_0000 + (low - this.#startLow);
    if (this.#second >= 0 && nanos >= 0 && nanos < 1e9) {
      this.nanos = nanos;
    } else {
      this.#startSecond((BigInt(high) << 32n) | BigInt(low));
    }
  }

  /** Milliseconds since 1970. */
  millis(low: number, high: number): number {
    this.stamp(low, high);
    return this.#second * 1000 + this.nanos / 1e6;
  }

  /** RFC 3339 with nanoseconds. */
  format(low: number, high: number): string {
    this.stamp(low, high);
    return `${this.#text}${String(this.nanos).padStart(9, '0')}Z`;
  }

  formatNs(monotonicNs: bigint): string {
    return this.format(Number(monotonicNs & 0xffff_ffffn), Number(monotonicNs >> 32n));
  }

  /** Beyond the year 9999 or before 1970 there is no such text: garbage is shown as the nearest bound. */
  #startSecond(monotonicNs: bigint): void {
    const offsetNs = this.#offsetAt(monotonicNs);
    const wall = monotonicNs + offsetNs;
    const inRange = wall < 0n ? 0n : wall > LAST_NS ? LAST_NS : wall;
    const second = inRange / SECOND_NS;
    this.#second = Number(second);
    this.nanos = Number(inRange % SECOND_NS);
    const start = second * SECOND_NS - offsetNs; // below 0 in the second in which the machine started
    const isWhole = this.#past.every(({ untilNs }) => untilNs < start || untilNs >= start + SECOND_NS);
    this.#startLow = Number(BigInt.asUintN(32, start));
    // A second in which the clock was set is another one for each time in it.
    this.#startHigh = isWhole ? Number(start >> 32n) : Number.POSITIVE_INFINITY;
    this.#text = `${new Date(this.#second * 1000).toISOString().slice(0, 19)}.`;
  }

  #offsetAt(monotonicNs: bigint): bigint {
    return this.#past.find(({ untilNs }) => monotonicNs <= untilNs)?.offsetNs ?? this.#offsetNs;
  }
}

/** CLOCK_MONOTONIC, ns: what process.hrtime reads on Linux. */
export function monotonicNs(): bigint {
  return process.hrtime.bigint();
}

/** Good to a millisecond: enough until the first batch brings the exact one. */
function measureOffsetNs(): bigint {
  return BigInt(Date.now()) * 1_000_000n - monotonicNs();
}

/** A millisecond: far above the jitter, below any step that a person or NTP daemon makes on purpose. */
const STEP_NS = 1_000_000n;
const SECOND_NS = 1_000_000_000n;
/** A daemon that sets the clock again and again must not cost memory. */
const MAX_STEPS = 16;
const LAST_NS = 253_402_300_799_999_999_999n;
