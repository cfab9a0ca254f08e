import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { TracerError } from '../errors.js';
import type { Lab } from './lab.js';
import { cannotStart, OPTIONS } from './process.js';
import { SENDER } from './sender.js';
import type { Place } from './topology.js';

/** Takes the UDP packets that get through to a place, which the kernel would drop if nobody took them. */
export class Receiver {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  readonly #failure: Promise<never>;
  #received: Promise<number> | undefined;

  private constructor(lab: Lab, place: Place, port: number) {
    const args = ['sink', '--netns', lab.path(place), '--dst-port', String(port)];
    this.#child = spawn(SENDER, args, { ...OPTIONS, stdio: 'pipe' });
    this.#lines = createInterface(this.#child.stdout)[Symbol.asyncIterator]();
    this.#failure = new Promise((_resolve, reject) => {
      this.#child.on('error', (error) => reject(cannotStart(SENDER, error)));
    });
    this.#failure.catch(() => undefined); // whoever waits for a line is told
  }

  /** Resolves when it listens. Throws E_LAB. */
  static async listen(lab: Lab, place: Place, port: number): Promise<Receiver> {
    const receiver = new Receiver(lab, place, port);
    await receiver.#next();
    return receiver;
  }

  /** Ends it. Returns how many packets it got. Idempotent. */
  close(): Promise<number> {
    this.#received ??= this.#end();
    return this.#received;
  }

  async #end(): Promise<number> {
    this.#child.stdin.end();
    return (JSON.parse(await this.#next()) as { received: number }).received;
  }

  async #next(): Promise<string> {
    const line = await Promise.race([this.#lines.next(), this.#failure]);
    if (line.done) throw new TracerError('E_LAB', 'the receiver ended without a word');
    return line.value;
  }
}
