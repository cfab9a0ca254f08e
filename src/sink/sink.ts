import type { Attribution } from '../attribute/pods/attribution.js';
import type { Device, DropEvent, Rpf, RpfMode, TraceEvent } from '../events.js';
import type { Incident } from '../incident/incident.js';
import type { Named } from '../names/drop-names.js';
import type { DropReader } from '../record/decode.js';

/** What the drops of all flows have in common that die in one place on one device in one state. */
export interface Context extends Named {
  /** Small, dense, and its own until forgetContexts(): sinks keep what they prepare for it in arrays. */
  readonly id: number;
  readonly aggregate: DropEvent['aggregate'];
  /** Another object when something else has to be said. */
  readonly device: Device;
  readonly mode: RpfMode | undefined;
}

/**
 * A flow as long as it is remembered: after forgetFlows() the object is another flow. What is known of its packets stands
 * in each of its records.
 */
export interface Flow {
  /** Below MAX_FLOWS. */
  readonly id: number;
  readonly context: Context;
  /** Another object when something else has to be said. */
  readonly rpf: Rpf | undefined;
  /** Another object when something else has to be said. */
  readonly attribution: Attribution;
  /** Drops that went to the sinks. */
  readonly drops: number;
  /** May become another one while the flow lives. */
  readonly incident: Incident | undefined;
}

/** Flows that are remembered at a time. */
export const MAX_FLOWS = 2048;

/** The last stage: takes events, never drops one, and says when it cannot take more for now. */
export interface Sink {
  /** Whether it takes one more event of any kind. When it is false, onReady is called once it is true again. */
  readonly ready: boolean;
  onReady: () => void;
  /** The record is valid during the call only. */
  drop(drop: DropReader, flow: Flow): void;
  event(event: Exclude<TraceEvent, DropEvent>): void;
  /** Nothing more comes for now: hand over what was collected. */
  flush(): void;
  /** The ids of flows are given out anew. */
  forgetFlows(): void;
  /** The ids of contexts are given out anew. */
  forgetContexts(): void;
  /** Resolves when everything is where it belongs. */
  end(): Promise<void>;
}
