import { readlinkSync } from 'node:fs';
import type { Writer } from '../events.js';
import { entriesOf, ifThere, inodeOf, textOf } from '../if-there.js';
import { describeCgroup, pathInProc } from '../settings/cgroups.js';

/** A process as /proc shows it. `proc` is its mount; tests have their own. */
export class Process {
  readonly pid: number;
  readonly #folder: string;
  readonly #proc: string;

  constructor(pid: number, proc = '/proc') {
    this.pid = pid;
    this.#proc = proc;
    this.#folder = `${proc}/${pid}`;
  }

  /** Inode number of its network namespace; undefined where the process is gone or not ours to look into. */
  get netns(): number | undefined {
    return inodeOf(`${this.#folder}/ns/net`);
  }

  /** Whether one of its descriptors is the socket with this inode number. Looks until a moment of performance.now(). */
  hasSocket(inode: string, endMs: number): boolean {
    if (performance.now() >= endMs) return false;
    const descriptors = entriesOf(`${this.#folder}/fd`);
    return descriptors.some(
      (name) =>
        performance.now() < endMs &&
        ifThere(() => readlinkSync(`${this.#folder}/fd/${name}`)) === `socket:[${inode}]`,
    );
  }

  /** Inode number of the rtnetlink socket with this port in the process’s network namespace. */
  findSocket(portId: number): string | undefined {
    const lines = textOf(`${this.#folder}/net/netlink`)?.split('\n') ?? [];
    // sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode; Eth is the protocol, 0 that of routes.
    const words = lines.map((line) => line.trim().split(/\s+/));
    return words.find(([, protocol, port]) => protocol === '0' && port === String(portId))?.[9];
  }

  /** Undefined when it is gone. */
  describe(): Writer | undefined {
    const comm = textOf(`${this.#folder}/comm`)?.replace(/\n$/, '');
    if (comm === undefined) return undefined;
    const exe = ifThere(() => readlinkSync(`${this.#folder}/exe`))?.replace(/ \(deleted\)$/, '');
    const cmdline = textOf(`${this.#folder}/cmdline`)?.slice(0, MAX_CMDLINE) ?? '';
    const cgroup = pathInProc(textOf(`${this.#folder}/cgroup`) ?? '');
    return {
      pid: this.pid,
      comm,
      ...(exe !== undefined && { exe, exe_from: 'proc' as const }),
      ...(cmdline !== '' && { cmdline: cmdline.replace(/\0$/, '').split('\0') }),
      parents: this.#parents(),
      uid: Number(this.#status('Uid')?.split('\t')[0] ?? 0),
      ...(cgroup === undefined
        ? { cgroup_unknown: 'the process is gone' }
        : { cgroup, ...describeCgroup(cgroup) }),
      netns: this.netns ?? 0,
    };
  }

  #parents(): Writer['parents'] {
    const parents: Writer['parents'] = [];
    let child: Process = this;
    while (parents.length < MAX_PARENTS) {
      const pid = Number(child.#status('PPid') ?? 0);
      if (pid === 0) break;
      child = new Process(pid, this.#proc);
      parents.push({ pid, comm: child.#status('Name') ?? '' });
    }
    return parents;
  }

  #status(key: string): string | undefined {
    const text = textOf(`${this.#folder}/status`) ?? '';
    const line = text.split('\n').find((one) => one.startsWith(`${key}:\t`));
    return line?.slice(key.length + 2);
  }
}

/** Numbers of the processes that there are, at most so many. */
export function processNumbers(max: number, proc = '/proc'): number[] {
  return entriesOf(proc)
    .filter((name) => /^\d+$/.test(name))
    .slice(0, max)
    .map(Number);
}

const MAX_CMDLINE = 4096;
const MAX_PARENTS = 6;
