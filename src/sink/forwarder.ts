import type { Witness } from './tee-sink.js';

/** Somebody elsewhere to whom events go, beside what is written here. */
export interface Forwarder extends Witness {
  readonly name: 'otlp' | 'kubernetes_events';
  /** Events that did not get there. */
  readonly lost: number;
  /** Why those that were tried last did not get there; undefined while all is well. */
  readonly failure: string | undefined;
}
