import { TracerError } from '../errors.js';
import type { DropEvent, StartEvent, StopEvent, TraceEvent } from '../events.js';
import { openTracer, type Tracer } from '../tracer.js';
import type { LabDrop } from './cases.js';
import type { Lab } from './lab.js';
import type { LabPacket } from './packet.js';
import { send } from './sender.js';
import { ADDRESS, PLACES } from './topology.js';

/** Traces the lab and tells which drops a piece of work made, exactly and without waiting for a time to pass. */
export class Witness implements AsyncDisposable {
  readonly #lab: Lab;
  readonly #tracer: Tracer;
  readonly #events: AsyncIterator<TraceEvent>;
  #marks = 0;
  #hooks: StartEvent['hooks'] = [];

  private constructor(lab: Lab, tracer: Tracer) {
    this.#lab = lab;
    this.#tracer = tracer;
    this.#events = tracer[Symbol.asyncIterator]();
  }

  /** Resolves when the tracer is attached. Throws a TracerError. */
  static async open(lab: Lab, backend: readonly string[] = []): Promise<Witness> {
    const netns = PLACES.map((place) => lab.path(place));
    return new Witness(lab, await openTracer({ every: true, netns, backend }));
  }

  /** What the tracer has attached; known once something was read. */
  get hooks(): StartEvent['hooks'] {
    return this.#hooks;
  }

  /**
   * All drops in the lab since the last call. A drop that cannot be taken for another marks the end: events come in the
   * order of the drops.
   */
  async drops(signal?: AbortSignal): Promise<LabDrop[]> {
    const port = FIRST_PORT + this.#marks++;
    await send(this.#lab, { ...MARK, dstPort: port }, { count: 1, signal });
    const events = await this.#readUntil((event) => isMark(event, port), signal);
    return events.flatMap((event) => (event.kind === 'drop' && !isMark(event) ? this.#locate(event) : []));
  }

  /** Ends the trace. Returns whether every drop in the lab is accounted for, and the kernel's counters agree. */
  async stop(): Promise<boolean> {
    const inodes = PLACES.map((place) => this.#lab.inode(place));
    this.#tracer.stop();
    const events = await this.#readUntil((event) => event.kind === 'stop');
    const { conservation, netns } = events.at(-1) as StopEvent;
    const accounts = netns.filter((account) => inodes.includes(account.netns));
    return conservation.holds && accounts.every(({ reconciled }) => reconciled === true);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tracer.close();
  }

  /** The events up to and with the one that satisfies `isLast`. */
  async #readUntil(isLast: (event: TraceEvent) => boolean, signal?: AbortSignal): Promise<TraceEvent[]> {
    const patience = AbortSignal.timeout(PATIENCE_MS);
    const interruption = rejected(AbortSignal.any([patience, ...(signal ? [signal] : [])]));
    const events: TraceEvent[] = [];
    for (;;) {
      const result = await Promise.race([this.#events.next(), interruption]);
      if (result.done) throw new TracerError('E_LAB', 'the tracer ended by itself');
      if (result.value.kind === 'start') this.#hooks = result.value.hooks;
      events.push(result.value);
      if (isLast(result.value)) return events;
    }
  }

  #locate(event: DropEvent): LabDrop[] {
    // No packets of a network, but the messages that a program like iptables had not read from its netlink socket.
    if (event.device.name_unknown === 'no_device') return [];
    const place = this.#lab.placeOf(event.device.netns);
    return place ? [{ place, event }] : [];
  }
}

/** A packet whose source nobody accepts, whatever the lab is set to. */
const MARK: LabPacket = { from: 'world', kind: 'udp', src: '224.0.0.99', dst: ADDRESS.node };
const FIRST_PORT = 1024;

/** Far more than a drop needs to come through, even on a machine that is busy. */
const PATIENCE_MS = 10_000;

/** Whether this is the mark with this port, or any mark. */
function isMark(event: TraceEvent, port?: number): boolean {
  if (event.kind !== 'drop' || event.packet?.src !== MARK.src) return false;
  return port === undefined || event.packet.dst_port === port;
}

function rejected(signal: AbortSignal): Promise<never> {
  const rejection = new Promise<never>((_resolve, reject) => {
    const onAbort = () => reject(reasonOf(signal));
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  rejection.catch(() => undefined); // it may come when nobody waits any longer
  return rejection;
}

function reasonOf({ reason }: AbortSignal): unknown {
  if (!(reason instanceof DOMException) || reason.name !== 'TimeoutError') return reason;
  return new TracerError('E_LAB', `the tracer has not reported all within ${PATIENCE_MS / 1000} seconds`);
}
