import type { Device } from '../events.js';
import type { Clock } from '../record/clock.js';
import type { DropReader, LinkReader } from '../record/decode.js';
import { attributeDevice, isCurrentDevice, type Surroundings } from './device.js';
import { LinkMap } from './links.js';
import type { Attribution, Grounds } from './pods/attribution.js';
import type { Pods } from './pods/pods.js';
import type { Place } from './pods/scene.js';

/** What attribution remembers of a flow. */
export interface Attributed {
  readonly context: AttributedPlace;
  /** Another object when something else has to be said. */
  attribution: Attribution;
  readonly grounds: Grounds;
  /** What the epoch of the devices was when the context was looked at. */
  linkEpoch: number;
  /** What that of the pods was when the answer was known to be right; below 0: to be asked for. */
  podEpoch: number;
}

/** And of the place that flows have in common. */
export interface AttributedPlace extends Place {
  device: Device;
  linkEpoch: number;
}

export interface AttributorOptions {
  readonly pods: Pods;
  readonly ownNetns: number | undefined;
  readonly clock: Clock;
}

/** Says on which device a flow's packets died, whose they were, and who was at the other end. */
export class Attributor {
  readonly #pods: Pods;
  readonly #clock: Clock;
  readonly #links = new LinkMap();
  readonly #surroundings: Surroundings;

  constructor({ pods, ownNetns, clock }: AttributorOptions) {
    this.#pods = pods;
    this.#clock = clock;
    this.#surroundings = { ownNetns, links: this.#links };
  }

  /** Another number when what is said of devices may be another thing. */
  get linkEpoch(): number {
    return this.#links.epoch;
  }

  /** A device has come, has changed or is gone. */
  learn(record: LinkReader): void {
    this.#links.learn(record);
  }

  /** Of a place that is new. */
  deviceOf(drop: DropReader): Pick<AttributedPlace, 'device' | 'linkEpoch'> {
    return { device: attributeDevice(drop, this.#surroundings), linkEpoch: this.#links.epoch };
  }

  /** Pods come and go all the time, and their devices with them: only what became another one is worked out again. */
  followLinks(flow: Attributed, drop: DropReader): void {
    const { context } = flow;
    flow.linkEpoch = this.#links.epoch;
    if (context.linkEpoch === flow.linkEpoch) return;
    context.linkEpoch = flow.linkEpoch;
    if (!isCurrentDevice(context.device, this.#surroundings))
      context.device = attributeDevice(drop, this.#surroundings);
  }

  /** Whose drops they are. What is learned later comes into later events. */
  attribute(flow: Attributed, drop: DropReader): void {
    const { grounds, context } = flow;
    if (flow.podEpoch < 0 || !this.#pods.isCurrent(grounds)) {
      const timeMs = this.#clock.millis(drop.timeLow, drop.timeHigh);
      flow.attribution = this.#pods.attribute(drop, context, timeMs, grounds);
    }
    flow.podEpoch = grounds.isLasting ? this.#pods.epoch : -1;
  }
}

/** Of a flow that nobody was asked about yet. */
export const NOT_ATTRIBUTED = { attribution: {}, linkEpoch: -1, podEpoch: -1 } as const;
