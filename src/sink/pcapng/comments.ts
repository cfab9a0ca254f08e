import type { DropEvent, Rpf } from '../../events.js';
import { podText, reasonText, rpfText } from '../drop-text.js';
import { encodeComments } from './blocks.js';

/** The comments of drops as options of a block, one a matter. What many drops share is worked out once. */
export class Comments {
  readonly #verdicts = new WeakMap<Rpf, Buffer>();

  of(event: DropEvent): Buffer {
    const { rpf, incident } = event;
    const pod = podText(event);
    return Buffer.concat([
      encodeComments([...aggregateComments(event), reasonText(event), ...(pod === undefined ? [] : [pod])]),
      rpf ? this.#verdict(rpf) : NOTHING,
      encodeComments(incident === undefined ? [] : [`incident ${incident}`]),
    ]);
  }

  #verdict(rpf: Rpf): Buffer {
    const known = this.#verdicts.get(rpf);
    if (known) return known;
    const fix = rpf.fix ? [`fix: ${rpf.fix.join('  or  ')}`] : [];
    const encoded = encodeComments([rpfText(rpf), ...fix]);
    this.#verdicts.set(rpf, encoded);
    return encoded;
  }
}

const NOTHING = Buffer.alloc(0);

function aggregateComments({ aggregate, count, first_time }: DropEvent): string[] {
  if (aggregate === undefined) return [];
  const since = `from ${first_time?.slice(11)} on`;
  if (aggregate === 'flow') return [`and ${count} more of this flow, ${since}`];
  return [`${count} drops of this device and reason, ${since}: of which flows is not known`];
}
