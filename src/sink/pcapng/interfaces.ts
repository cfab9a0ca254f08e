import type { DropEvent } from '../../events.js';
import { printable } from '../../printable.js';
import { deviceText } from '../drop-text.js';
import { interfaceBlock, type LinkType } from './blocks.js';

/** The interfaces of a section: one for each node, device and kind of header that packets of it start with. */
export class Interfaces {
  readonly #ids = new Map<string, number>();
  readonly #snaplen: number;

  constructor(snaplen: number) {
    this.#snaplen = snaplen;
  }

  get size(): number {
    return this.#ids.size;
  }

  /** `block` is there for one that is new, and has to be written first. */
  find(
    { node, device }: Pick<DropEvent, 'node' | 'device'>,
    linkType: LinkType,
  ): { id: number; block?: Buffer } {
    const { name, ifindex, netns } = device;
    const key = `${node} ${name} ${ifindex} ${netns} ${linkType}`;
    const known = this.#ids.get(key);
    if (known !== undefined) return { id: known };
    const id = this.#ids.size;
    this.#ids.set(key, id);
    const description = `${deviceText(device)}, node ${printable(node)}`;
    const words = { name: name && printable(name), description };
    return { id, block: interfaceBlock({ linkType, snaplen: this.#snaplen, ...words }) };
  }
}
