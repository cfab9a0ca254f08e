import type { Device, DropEvent, LostEvent, Packet, RpfMode, StartEvent, StopEvent } from '../events.js';
import type { DropReader } from '../record/decode.js';

/** What all drops of a flow have in common: made once, by the stages before the sinks. */
export interface DropFacts {
  readonly aggregate: DropEvent['aggregate'];
  readonly reason: string | undefined;
  readonly reason_unknown: string | undefined;
  readonly location: string | undefined;
  readonly packet: Packet | undefined;
  readonly packet_unknown: string | undefined;
  readonly device: Device;
  readonly rpf: { mode: RpfMode } | undefined;
}

/** A flow as long as it is remembered. */
export interface Flow {
  /** Small, dense, and the flow's own until forget(): sinks keep what they prepare for a flow in arrays. */
  readonly id: number;
  readonly facts: DropFacts;
  /** Drops that went to the sinks. */
  drops: number;
}

/** The last stage: takes events, never drops one, and says when it cannot take more for now. */
export interface Sink {
  /** Whether it takes one more event of any kind. When it is false, onReady is called once it is true again. */
  readonly ready: boolean;
  onReady: () => void;
  /** The record is valid during the call only. */
  drop(drop: DropReader, flow: Flow): void;
  event(event: StartEvent | LostEvent | StopEvent): void;
  /** Nothing more comes for now: hand over what was collected. */
  flush(): void;
  /** The ids of flows are given out anew. */
  forget(): void;
  /** Resolves when everything is where it belongs. */
  end(): Promise<void>;
}
