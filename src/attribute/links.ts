import type { LinkReader } from '../record/decode.js';

/** A device of the tracer's own network namespace as it is now. */
export interface Link {
  readonly name: string;
  readonly masterIfindex: number;
}

/** The devices of the tracer's own network namespace, kept current by link records. Bounded by what the kernel has. */
export class LinkMap {
  /** Another number when anything that attribution uses has changed. */
  epoch = 0;
  readonly #links = new Map<number, Link>();

  learn(record: LinkReader): void {
    const { ifindex } = record;
    if (record.gone) {
      this.#forget(ifindex);
      return;
    }
    const link = { name: record.name, masterIfindex: record.masterIfindex };
    const known = this.#links.get(ifindex);
    if (known?.name === link.name && known.masterIfindex === link.masterIfindex) return;
    this.#links.set(ifindex, link);
    this.epoch++;
  }

  #forget(ifindex: number): void {
    // Netlink had to drop messages: the devices that are left are told anew.
    if (ifindex === ALL) this.#links.clear();
    else if (!this.#links.delete(ifindex)) return;
    this.epoch++;
  }

  get(ifindex: number): Link | undefined {
    return this.#links.get(ifindex);
  }
}

/** No device has this ifindex. */
const ALL = 0;
