import type { LinkReader } from '../record/decode.js';

/** A device of the tracer's own network namespace as it is now. */
export interface Link {
  readonly name: string;
  readonly masterIfindex: number;
}

/** The devices of the tracer's own network namespace, kept current by link records. Bounded by what the kernel has. */
export class LinkMap {
  readonly #links = new Map<number, Link>();

  /** Returns whether anything that attribution uses has changed. */
  learn(record: LinkReader): boolean {
    const { ifindex } = record;
    if (record.gone) return ifindex === ALL ? this.#forgetAll() : this.#links.delete(ifindex);
    const link = { name: record.name, masterIfindex: record.masterIfindex };
    const known = this.#links.get(ifindex);
    if (known?.name === link.name && known.masterIfindex === link.masterIfindex) return false;
    this.#links.set(ifindex, link);
    return true;
  }

  /** Netlink had to drop messages: the devices that are left are told anew. */
  #forgetAll(): boolean {
    this.#links.clear();
    return true;
  }

  get(ifindex: number): Link | undefined {
    return this.#links.get(ifindex);
  }
}

/** No device has this ifindex. */
const ALL = 0;
