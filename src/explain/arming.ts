export interface ArmingOptions {
  /** Begins or ends to watch route lookups. May throw. */
  readonly watch: (on: boolean) => void;
  /** Milliseconds that never go back. */
  readonly now: () => number;
}

/**
 * When the kernel’s route lookups are watched. That costs each IPv4 lookup of the node, dropped or not, so it begins with a
 * drop whose lookup nobody has seen, ends when one was seen, such drops stop, or after some seconds, and takes a tenth of the time at
 * most.
 */
export class Arming {
  readonly #options: ArmingOptions;
  #timer: NodeJS.Timeout | undefined;
  #armedMs = 0;
  #wantedMs = 0;
  #seenMs = Number.NEGATIVE_INFINITY;
  #restUntilMs = Number.NEGATIVE_INFINITY;

  constructor(options: ArmingOptions) {
    this.#options = options;
  }

  get isArmed(): boolean {
    return this.#timer !== undefined;
  }

  /** A source was refused, and how the kernel looked it up was not seen. */
  want(): void {
    const now = this.#options.now();
    this.#wantedMs = now;
    if (this.isArmed || now < this.#restUntilMs) return;
    if (!this.#watch(true)) return;
    this.#armedMs = now;
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
    this.#timer.unref();
  }

  /** How the kernel looked a source up was seen. */
  seen(): void {
    this.#seenMs = this.#options.now();
  }

  /** Watches no more, for good. */
  stop(): void {
    if (this.isArmed) this.#disarm();
    this.#restUntilMs = Number.POSITIVE_INFINITY;
  }

  #look(): void {
    const now = this.#options.now();
    const isAnswered = this.#seenMs >= this.#wantedMs;
    if (isAnswered || now - this.#wantedMs >= QUIET_MS || now - this.#armedMs >= MAX_ARMED_MS) this.#disarm();
  }

  #disarm(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    const now = this.#options.now();
    this.#restUntilMs = now + REST_FACTOR * Math.max(now - this.#armedMs, LOOK_MS);
    this.#watch(false);
  }

  /** Where it cannot be watched it is not tried again. */
  #watch(on: boolean): boolean {
    try {
      this.#options.watch(on);
      return true;
    } catch {
      this.#restUntilMs = Number.POSITIVE_INFINITY;
      return false;
    }
  }
}

/** Records are read each millisecond while there are drops. */
const LOOK_MS = 20;
/** Flows that go on are explained again each second. */
const QUIET_MS = 2000;
const MAX_ARMED_MS = 5000;
const REST_FACTOR = 9;
