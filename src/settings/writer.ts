import { readlinkSync } from 'node:fs';
import type { Writer } from '../events.js';
import { ifThere, textOf } from '../if-there.js';
import type { SysctlReader } from '../record/decode.js';
import { SYSCTL_FLAGS } from '../record/layout.gen.js';
import { Cgroups, describeCgroup, pathInProc } from './cgroups.js';
import type { Executed } from './executed.js';

export interface WritersOptions {
  /** Where procfs is mounted. */
  readonly proc?: string;
  readonly cgroups?: Cgroups;
  readonly executed?: Pick<Executed, 'find'>;
}

/**
 * Tells who writes a setting. The record itself says enough of a process that is gone already; one that still lives is asked
 * for what did not fit. Each writer is looked at once.
 */
export class Writers {
  readonly #proc: string;
  readonly #cgroups: Cgroups;
  readonly #executed: WritersOptions['executed'];
  readonly #known = new Map<string, Writer>();

  constructor({ proc = '/proc', cgroups = new Cgroups(), executed }: WritersOptions = {}) {
    this.#proc = proc;
    this.#cgroups = cgroups;
    this.#executed = executed;
  }

  /** The record is read during the call only. */
  describe(record: SysctlReader): Writer {
    const { pid, comm, netns, cgroupId, args } = record;
    const key = [pid, netns, cgroupId, comm, ...args].join('\0');
    const known = this.#known.get(key);
    if (known) return known;
    const writer = this.#describe(record, args);
    if (this.#known.size === MAX_KNOWN) this.#known.clear();
    this.#known.set(key, writer);
    return writer;
  }

  #describe(record: SysctlReader, args: readonly string[]): Writer {
    const alive = this.#look(record.pid, args, (record.flags & SYSCTL_FLAGS.SYSCTL_ARGS_CUT) !== 0);
    return {
      pid: record.pid,
      comm: record.comm,
      ...exeOf(record, alive),
      ...(this.#typed(record) ?? cmdlineOf(record, args, alive)),
      parents: record.parents,
      uid: record.uid,
      ...this.#cgroupOf(record, alive),
      netns: record.netns,
    };
  }

  /** The command line as it was executed: sysctl and systemd-sysctl write into their own. */
  #typed(record: SysctlReader): Pick<Writer, 'cmdline'> | undefined {
    const execution = this.#executed?.find(record.pid, record.netns);
    if (execution === undefined || !isSameProgram(execution, record)) return undefined;
    const isCut = (execution.flags & SYSCTL_FLAGS.SYSCTL_ARGS_CUT) !== 0;
    return isCut || execution.args.length === 0 ? undefined : { cmdline: execution.args };
  }

  /** Undefined when the process is gone: its number may be another's by now, or mean another in our PID namespace. */
  #look(pid: number, args: readonly string[], isCut: boolean): Living | undefined {
    const folder = `${this.#proc}/${pid}`;
    const cmdline = wordsOf(textOf(`${folder}/cmdline`) ?? '');
    if (args.length === 0 || !isSame(args, cmdline, isCut)) return undefined;
    const exe = ifThere(() => readlinkSync(`${folder}/exe`));
    const cgroup = textOf(`${folder}/cgroup`);
    return { cmdline, exe: exe?.replace(/ \(deleted\)$/, ''), cgroup: cgroup && pathInProc(cgroup) };
  }

  #cgroupOf(
    record: SysctlReader,
    alive: Living | undefined,
  ): Pick<Writer, 'cgroup' | 'cgroup_unknown' | 'systemd_unit' | 'container_id'> {
    if (alive?.cgroup !== undefined) return { cgroup: alive.cgroup, ...describeCgroup(alive.cgroup) };
    const recorded = `/${record.cgroupParts.toReversed().join('/')}`;
    const isCut = (record.flags & SYSCTL_FLAGS.SYSCTL_CGROUP_CUT) !== 0;
    const found = isCut ? this.#cgroups.find(record.cgroupId) : { path: recorded };
    if ('why' in found) return { cgroup_unknown: found.why, ...describeCgroup(recorded) };
    return { cgroup: found.path, ...describeCgroup(found.path) };
  }
}

/** What /proc says of a writer. */
interface Living {
  readonly cmdline: readonly string[];
  readonly exe: string | undefined;
  readonly cgroup: string | undefined;
}

function exeOf(
  record: SysctlReader,
  alive: Living | undefined,
): Pick<Writer, 'exe' | 'exe_from' | 'exe_cut'> {
  if (alive?.exe !== undefined) return { exe: alive.exe, exe_from: 'proc' };
  const parts = record.exeParts;
  if (parts.length === 0) return {};
  return {
    exe: `/${parts.toReversed().join('/')}`,
    exe_from: 'record',
    ...(record.flags & SYSCTL_FLAGS.SYSCTL_EXE_CUT && { exe_cut: true as const }),
  };
}

function cmdlineOf(
  record: SysctlReader,
  args: readonly string[],
  alive: Living | undefined,
): Pick<Writer, 'cmdline' | 'cmdline_cut'> {
  const isCut = (record.flags & SYSCTL_FLAGS.SYSCTL_ARGS_CUT) !== 0;
  if (args.length === 0) return {};
  const whole = isCut && alive ? alive.cmdline : args;
  const cmdline = bounded(whole);
  const isShort = whole === args ? isCut : cmdline.length < whole.length;
  return { cmdline, ...(isShort && { cmdline_cut: true as const }) };
}

/** The number alone may have been another's before. */
function isSameProgram(execution: SysctlReader, { pid, timeNs, exeParts }: SysctlReader): boolean {
  const isEarlier = execution.pid === pid && execution.timeNs <= timeNs;
  return isEarlier && execution.exeParts.join('/') === exeParts.join('/');
}

/** Whether the record's words, of which the last may be cut, are those of the process. */
function isSame(args: readonly string[], cmdline: readonly string[], isCut: boolean): boolean {
  if (!isCut && args.length !== cmdline.length) return false;
  return args.every((word, index) => {
    const other = cmdline[index];
    if (isCut && index === args.length - 1) return other?.startsWith(word.replace(/\ufffd+$/, '')) ?? false;
    return other === word;
  });
}

function wordsOf(text: string): string[] {
  const words = text.split('\0');
  return words.at(-1) === '' ? words.slice(0, -1) : words;
}

/** A command line may have megabytes. */
function bounded(words: readonly string[]): string[] {
  const kept: string[] = [];
  let room = MAX_CMDLINE;
  for (const word of words) {
    if (word.length > room) break;
    kept.push(word);
    room -= word.length + 1;
  }
  return kept;
}

const MAX_KNOWN = 256;
const MAX_CMDLINE = 4096;
