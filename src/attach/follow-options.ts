import type { TracerError } from '../errors.js';
import type { EventId } from '../serve/history/event-id.js';
import type { Received } from './received.js';

export interface FollowOptions {
  readonly onEvent: (received: Received) => void;
  readonly onState: (state: FollowState) => void;
  /** All that the server has told has come, up to this event. It is told again now and then while nothing new comes. */
  readonly onPosition?: (id: EventId) => void;
  /** After each portion of events. Nothing more is read until what it returns is fulfilled: the server keeps the rest. */
  readonly onPortion?: () => Promise<void> | undefined;
  /** All up to there has come before: it begins behind it, whatever the question says. */
  readonly after?: EventId | undefined;
  /** Where nothing is known to have come before: it begins with all that the server has told since it was started. */
  readonly fromBoot?: boolean;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** false: the first connection is the only one. */
  readonly reconnect?: boolean;
}

/** `epoch` is the boot of the server. */
export type FollowState =
  | { readonly kind: 'connected'; readonly epoch: string }
  /** `isStop`: the server said that it ends. */
  | { readonly kind: 'disconnected'; readonly why: TracerError; readonly isStop: boolean }
  | { readonly kind: 'resumed'; readonly epoch: string; readonly missing: Gap };

/** Events that are missing; `unknown`: why there may be more of them. */
export interface Gap {
  readonly events: number;
  readonly unknown?: string | undefined;
}
