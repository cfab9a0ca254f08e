import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { Slices } from '../slices.js';
import { CgroupIds } from './cgroup-ids.js';
import { type CgroupOwner, cgroupOwner } from './cgroup-owner.js';

export interface Process {
  readonly pid: number;
  readonly parent: number;
  /** Inode number; undefined where it may not be seen. */
  readonly netns: number | undefined;
  readonly owner: CgroupOwner | undefined;
  /** Id of its cgroup v2; undefined where that is the root, or cannot be seen. */
  readonly cgroup: number | undefined;
}

export interface ProcessWalk {
  /** Those in pods, those that started them, and the first. */
  readonly processes: ReadonlyMap<number, Process>;
  /** Of these processes, those whose network namespace may not be seen. */
  readonly hidden: number;
  /** There are more than it looks at. */
  readonly cut: boolean;
}

/** Looks at every process below `proc`, a moment at a time: nothing that happens meanwhile waits for it. */
export async function walkProcesses(
  proc: string,
  signal: AbortSignal,
  cgroupRoot?: string,
): Promise<ProcessWalk> {
  const pids = readdirSync(proc).filter((name) => /^\d+$/.test(name));
  const ids = new CgroupIds(cgroupRoot);
  const processes = new Map<number, Process>();
  const slices = new Slices(signal);
  for (const pid of pids.slice(0, MAX_PROCESSES).map(Number)) {
    const rest = slices.rest();
    if (rest) await rest;
    const cgroup = readCgroup(proc, pid);
    const owner = cgroupOwner(cgroup);
    if (owner || pid === 1) remember(processes, readProcess(proc, pid, owner, ids.idOf(cgroup)));
  }
  const hidden = [...processes.values()].filter(({ netns }) => netns === undefined).length;
  for (const { parent } of [...processes.values()]) {
    if (processes.has(parent)) continue;
    const owner = cgroupOwner(readCgroup(proc, parent));
    remember(processes, readProcess(proc, parent, owner, undefined));
  }
  return { processes, hidden, cut: pids.length > MAX_PROCESSES };
}

function remember(processes: Map<number, Process>, process: Process | undefined): void {
  if (process) processes.set(process.pid, process);
}

/** Nothing for one that has ended meanwhile. */
function readCgroup(proc: string, pid: number): string {
  try {
    return readFileSync(`${proc}/${pid}/cgroup`, 'utf8');
  } catch {
    return '';
  }
}

/** undefined for one that has ended meanwhile. */
function readProcess(
  proc: string,
  pid: number,
  owner: CgroupOwner | undefined,
  cgroup: number | undefined,
): Process | undefined {
  const folder = `${proc}/${pid}`;
  try {
    return { pid, parent: readParent(folder), netns: readNetns(folder), owner, cgroup };
  } catch {
    return undefined;
  }
}

/** man 5 proc: the name in brackets may have anything in it, brackets too. */
function readParent(folder: string): number {
  const text = readFileSync(`${folder}/stat`, 'utf8');
  return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1]);
}

/** Seeing it takes CAP_SYS_PTRACE for a process of somebody else. */
function readNetns(folder: string): number | undefined {
  try {
    const inode = /^net:\[(\d+)\]$/.exec(readlinkSync(`${folder}/ns/net`))?.[1];
    return inode === undefined ? undefined : Number(inode);
  } catch {
    return undefined;
  }
}

/** pid_max of a busy node; a walk of that many takes some 10 s. */
const MAX_PROCESSES = 65_536;
