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

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export function withResolver<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((resolver) => {
    resolve = resolver;
  });
  return { promise, resolve };
}
