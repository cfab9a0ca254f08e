import type { LostEvent } from '../events.js';
import type { NativeAddon } from '../native.js';
import type { DropReader, LostReader } from '../record/decode.js';
import { LOST_WHERE, REASON } from '../record/layout.gen.js';
import { Locations } from './locations.js';
import { ReasonNames } from './reasons.js';

export interface DropNamesOptions {
  readonly addon: NativeAddon;
  readonly symbol: (address: bigint) => string | undefined;
  /** What sees refused sources, once attached. */
  readonly refusedHook: () => string | undefined;
  /** Known already when drops are filtered by reason. */
  readonly reasons?: ReasonNames | undefined;
}

export interface Named {
  readonly reason: string | undefined;
  readonly reason_unknown: string | undefined;
  readonly location: string;
  /** What saw it. */
  readonly hook: string;
}

/** Why and where the kernel dropped, and what saw it, by the names of this kernel. */
export class DropNames {
  readonly #options: DropNamesOptions;
  readonly #locations: Locations;
  /** Read before anything is attached: what takes ten milliseconds afterwards has the ring fill meanwhile. */
  readonly reasons: ReasonNames;

  constructor(options: DropNamesOptions) {
    this.#options = options;
    this.reasons = options.reasons ?? ReasonNames.read(options.addon);
    this.#locations = new Locations(options.symbol);
  }

  of(drop: DropReader): Named {
    return { ...this.#reasonOf(drop), ...this.#placeOf(drop) };
  }

  /** What a loss is told by. */
  ofLost({
    where,
    reason,
    netns,
    count,
  }: LostReader): Pick<LostEvent, 'where' | 'count' | 'reason' | 'netns'> {
    const isRing = where === LOST_WHERE.LOST_RING;
    return {
      where: isRing ? 'ring' : 'recursion',
      count,
      ...(isRing && reason !== 0 && { reason: this.reasons.name(reason) }),
      ...(netns !== 0 && { netns }),
    };
  }

  #reasonOf({ reason }: DropReader): Pick<Named, 'reason' | 'reason_unknown'> {
    if (reason !== 0) return { reason: this.reasons.name(reason), reason_unknown: undefined };
    return { reason: undefined, reason_unknown: 'the kernel gives none here' };
  }

  #placeOf({ reason, location }: DropReader): Pick<Named, 'location' | 'hook'> {
    if (reason === REASON.REASON_ARP_REFUSED)
      return { location: ARP_LOCATION, hook: this.#options.refusedHook() ?? ARP_LOCATION };
    return { location: this.#locations.name(location), hook: 'tp_btf/kfree_skb' };
  }
}

/** The function that is called for it; nothing is freed there. */
const ARP_LOCATION = 'ip_handle_martian_source';
