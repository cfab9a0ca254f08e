import type { StartEvent } from '../events.js';
import type { NativeStats } from '../native.js';

export interface MetricsOptions {
  /** What the kernel side has counted. */
  readonly stats: () => Pick<NativeStats, 'seen' | 'matched' | 'lost' | 'recursion' | 'sysctlLost'>;
  /** Where pods are known from. */
  readonly sources: () => StartEvent['sources'];
  /** Events that a reader did not get, by the name of what it is: counted since the start, never less than before. */
  readonly sinks?: () => Readonly<Record<string, number>>;
  /** Series of drops at most, those that hold the rest left out. */
  readonly maxSeries?: number | undefined;
}
