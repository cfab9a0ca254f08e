import type { Capture } from '../capture/capture.js';
import { SysctlReader, viewOf } from '../record/decode.js';

/** What was executed lately, as far as the kernel lets it be remembered. */
export class Executed {
  readonly #capture: Pick<Capture, 'executed'>;

  constructor(capture: Pick<Capture, 'executed'>) {
    this.#capture = capture;
  }

  /** By the number of a process in its own PID namespace, and where it was executed. A record of a write without a setting. */
  find(number: number, netns: number): SysctlReader | undefined {
    const bytes = this.#capture.executed(number, netns);
    if (bytes === undefined) return undefined;
    const record = new SysctlReader();
    record.view = viewOf(bytes);
    return record;
  }
}
