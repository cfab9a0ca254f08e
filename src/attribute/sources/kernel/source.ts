import { readlinkSync } from 'node:fs';
import type { Observer, PodSighting } from '../../source.js';
import { PolledSource } from '../polled-source.js';
import type { Pace } from '../poller.js';
import { nodeHere } from './node.js';
import { podsOf } from './pods.js';
import { type ProcessWalk, walkProcesses } from './processes.js';

export interface KernelOptions {
  /** Where processes are found; /proc without it. */
  readonly proc?: string | undefined;
  readonly pace?: Pace | undefined;
  /** The root of the cgroup v2 hierarchy; looked for without it. */
  readonly cgroupRoot?: string | undefined;
}

/**
 * Finds pods without asking anybody: a process tells its network namespace, and its cgroup tells the UID of its pod. There are
 * no names in it, but together with another source that knows the UID it ties a drop to a pod even where that source tells no
 * address.
 */
export class KernelSource extends PolledSource {
  readonly #proc: string;
  readonly #cgroupRoot: string | undefined;
  #node = '';
  #hadPods = false;

  constructor({ proc = '/proc', pace = PACE, cgroupRoot }: KernelOptions = {}) {
    super('kernel', pace);
    this.#proc = proc;
    this.#cgroupRoot = cgroupRoot;
    this.health.lookingAt(proc);
  }

  protected override async look(observer: Observer, signal: AbortSignal): Promise<boolean> {
    this.#tellNode(observer);
    const walk = await walkProcesses(this.#proc, signal, this.#cgroupRoot);
    const pods = podsOf(walk.processes);
    this.#judge(pods.length, this.#missing(walk, pods));
    return await this.tell(signal, pods);
  }

  /** Where no process was ever in a pod, there are none to be told of. */
  #judge(pods: number, missing: string | undefined): void {
    this.#hadPods ||= pods > 0;
    if (this.#hadPods) this.health.ok(pods, missing);
    else this.health.absent(missing ?? 'no process is in a pod');
  }

  #tellNode(observer: Observer): void {
    const node = nodeHere();
    const text = JSON.stringify(node);
    if (text === this.#node) return;
    this.#node = text;
    observer.node(node);
  }

  #missing({ hidden, cut }: ProcessWalk, pods: readonly PodSighting[]): string | undefined {
    const notes = [
      ...(seesAllProcesses(this.#proc)
        ? []
        : ['only processes of this container are seen (hostPID: true shows all)']),
      ...(hidden > 0
        ? [`the network namespace of ${hidden} processes may not be seen (CAP_SYS_PTRACE)`]
        : []),
      ...(pods.some(({ hostNetwork, cgroups }) => hostNetwork && cgroups === undefined)
        ? ['sockets of pods with the network of the node are not told: their cgroups v2 are not seen']
        : []),
      ...(cut ? ['there are more processes than it looks at'] : []),
    ];
    return notes.length > 0 ? notes.join('; ') : undefined;
  }
}

/** Looking at a hundred processes takes 5 ms of the CPU. */
const PACE: Pace = { minMs: 1000, maxMs: 15_000 };

/** PROC_PID_INIT_INO, include/linux/proc_ns.h: the first PID namespace, in which all processes are. */
function seesAllProcesses(proc: string): boolean {
  try {
    return readlinkSync(`${proc}/self/ns/pid`) === `pid:[${0xeffffffc}]`;
  } catch {
    return true;
  }
}
