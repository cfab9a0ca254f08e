import type { Writer } from '../events.js';
import type { Asker } from './change.js';
import { Process, processNumbers } from './process.js';

export interface AskersOptions {
  readonly ownNetns: number | undefined;
  /** Milliseconds that never go back. */
  readonly now: () => number;
  /** A program that was executed lately by the process with this number, in this network namespace. */
  readonly executed: (number: number, netns: number) => Writer | undefined;
  /** Where procfs is mounted; default /proc. */
  readonly proc?: string;
}

/**
 * Who asked the kernel for a change of routes. Its message names the port of a netlink socket. The kernel gives a process’s first
 * one the number of the process, in its own PID namespace, and others any other: so the socket is looked for among
 * the descriptors of that process, and in our own network namespace among those of all. Of a process that is gone it is told
 * what was executed under that number last, which mostly is right. Bounded: in a flood of changes by ever new sockets most are not looked for.
 */
export class Askers {
  readonly #options: AskersOptions;
  readonly #known = new Map<string, { asker: Asker; untilMs: number }>();
  #secondMs = Number.NEGATIVE_INFINITY;
  #looks = 0;
  #scans = 0;

  constructor(options: AskersOptions) {
    this.#options = options;
  }

  find(portId: number, netns: number): Asker {
    const now = this.#options.now();
    const key = `${netns} ${portId}`;
    const known = this.#known.get(key);
    if (known && now < known.untilMs) return known.asker;
    if (now - this.#secondMs >= SECOND_MS) {
      this.#secondMs = now;
      this.#looks = 0;
      this.#scans = 0;
    }
    if (++this.#looks > MAX_LOOKS) return { why: 'too many at a time to look for each' };
    const asker = this.#look(portId, netns);
    if (this.#known.size === MAX_KNOWN) this.#known.clear();
    this.#known.set(key, { asker, untilMs: now + SECOND_MS });
    return asker;
  }

  #look(portId: number, netns: number): Asker {
    const namesake = portId < FIRST_OTHER ? this.#process(portId) : undefined;
    const inode = this.#findSocket(portId, netns, namesake);
    if (namesake && inode !== undefined && namesake.hasSocket(inode, performance.now() + SCAN_MS))
      return describe(namesake, 'socket');
    const owner = inode === undefined ? undefined : this.#findOwner(inode);
    if (owner) return describe(owner, 'socket');
    if (inode === undefined && namesake?.netns === netns) return describe(namesake, 'port_id');
    const executed = portId < FIRST_OTHER ? this.#findExecuted(portId, netns) : undefined;
    return executed ? { by: 'port_id', writer: executed } : { why: whyNot(portId) };
  }

  #findSocket(portId: number, netns: number, namesake: Process | undefined): string | undefined {
    if (namesake?.netns === netns) return namesake.findSocket(portId);
    return netns === this.#options.ownNetns ? this.#process(process.pid).findSocket(portId) : undefined;
  }

  /** `ip -n` goes into the other network namespace after it was executed, mostly in ours. */
  #findExecuted(number: number, netns: number): Writer | undefined {
    const { executed, ownNetns } = this.#options;
    const there = executed(number, netns);
    return there ?? (ownNetns === undefined ? undefined : executed(number, ownNetns));
  }

  /** Looks through the descriptors of all processes, for some milliseconds: a node may have a million. */
  #findOwner(inode: string): Process | undefined {
    if (++this.#scans > MAX_SCANS) return undefined;
    const numbers = processNumbers(MAX_PROCESSES, this.#options.proc);
    const endMs = performance.now() + SCAN_MS;
    return numbers.map((pid) => this.#process(pid)).find((one) => one.hasSocket(inode, endMs));
  }

  #process(pid: number): Process {
    return new Process(pid, this.#options.proc);
  }
}

function describe(found: Process, by: 'socket' | 'port_id'): Asker {
  const writer = found.describe();
  return writer === undefined ? { why: whyNot(found.pid) } : { by, writer };
}

function whyNot(portId: number): string {
  if (portId >= FIRST_OTHER) return `the process with netlink port ${portId} is gone, or cannot be found`;
  return `process ${portId}, going by the number of its netlink socket, was gone when it was looked for`;
}

/** Process numbers end below: PID_MAX_LIMIT, include/linux/threads.h. */
const FIRST_OTHER = 1 << 22;
const SECOND_MS = 1000;
const MAX_LOOKS = 20;
const MAX_SCANS = 2;
const SCAN_MS = 20;
const MAX_PROCESSES = 4096;
const MAX_KNOWN = 256;
