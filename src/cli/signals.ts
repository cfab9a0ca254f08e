import { setTimeout as delay } from 'node:timers/promises';

/** The signals that ask a trace to end: the first one kindly, the second one at once. */
export class Signals {
  readonly first: Promise<NodeJS.Signals>;
  readonly second: Promise<NodeJS.Signals>;
  readonly #signals: readonly NodeJS.Signals[];
  readonly #listener: (signal: NodeJS.Signals) => void;

  constructor(signals: readonly NodeJS.Signals[] = SIGNALS) {
    this.#signals = signals;
    const { promise: first, resolve: onFirst } = withResolver<NodeJS.Signals>();
    const { promise: second, resolve: onSecond } = withResolver<NodeJS.Signals>();
    this.first = first;
    this.second = second;
    let count = 0;
    this.#listener = (signal) => (++count === 1 ? onFirst(signal) : onSecond(signal));
    for (const signal of signals) process.on(signal, this.#listener);
  }

  /** Gives the signals back to the system. */
  remove(): void {
    for (const signal of this.#signals) process.off(signal, this.#listener);
  }
}

/**
 * Ends the process by the signal it was sent. process.exit() would wait for a write to a stalled reader that may never end.
 */
export function dieBy(signal: NodeJS.Signals): void {
  process.removeAllListeners(signal); // who listens to it keeps it from ending anything
  process.kill(process.pid, signal);
  // The kernel spares the first process of a container all signals that it does not handle.
  if (process.pid === 1) process.abort();
}

/**
 * Waits for what may never come, as the reader of a FIFO: a signal gives it a moment more, then it ends the process, and the
 * second one does so at once. `tell` is called before that.
 */
export async function unlessSignalled<T>(
  awaited: Promise<T>,
  signals: Signals,
  tell: () => void,
): Promise<T> {
  const patience = signals.first.then((signal) => delay(MOMENT_MS, signal, { ref: false }));
  const outcome = await Promise.race([awaited.then((value) => ({ value })), patience, signals.second]);
  if (typeof outcome !== 'string') return outcome.value;
  tell();
  dieBy(outcome);
  return await awaited;
}

/** Far more than opening a file takes, so that a trace which can begin ends in good order. */
const MOMENT_MS = 500;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export function withResolver<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((resolver) => {
    resolve = resolver;
  });
  return { promise, resolve };
}
