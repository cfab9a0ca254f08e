import type { FollowOptions } from '../attach/follow-options.js';

/** Who is read: one server, or many as if they were one. */
export interface Reading {
  /** Resolves and rejects as follow() does. */
  run(options: ReadingOptions): Promise<void>;
  /** What else is to be told at the end, line by line. */
  readonly summary: readonly string[];
}

export interface ReadingOptions extends Pick<FollowOptions, 'onEvent' | 'onPortion' | 'signal'> {
  /** Events come from now on. */
  readonly onConnected: () => void;
}
