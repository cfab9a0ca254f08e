import { readlinkSync } from 'node:fs';
import { CGROUP_ROOT_INODE, cgroupMounts } from '../cgroup-mounts.js';
import { entriesOf, ifThere, inodeOf, textOf } from '../if-there.js';
import { CAPABILITIES, readHeld } from '../privileges/capabilities.js';
import type { CgroupRoot } from './features.js';
import type { Capability, EnvironmentFact } from './report.js';

/** The capabilities that rpftrace has a use for, one by one, as this process has them in effect. */
export function readCapabilities(root = '/'): Capability[] {
  const held = readHeld(root);
  return CAPABILITIES.map(({ name, used_for, without }) => ({
    name,
    held: held.has(name),
    used_for,
    without,
  }));
}

function fieldOf(root: string, name: string): string | undefined {
  const status = textOf(`${root}proc/self/status`);
  return new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(status ?? '')?.[1];
}

/** What else decides about what may be done. */
export function readEnvironment(root = '/'): EnvironmentFact[] {
  return [
    fact('lockdown', lockdownMode(root), (value) =>
      value === 'confidentiality'
        ? 'no BPF program may read memory by address: bpf_rdonly_cast is needed'
        : undefined,
    ),
    fact('kernel.unprivileged_bpf_disabled', setting(root, 'kernel/unprivileged_bpf_disabled'), undefined),
    fact('kernel.perf_event_paranoid', setting(root, 'kernel/perf_event_paranoid'), undefined),
    fact('kernel.kptr_restrict', setting(root, 'kernel/kptr_restrict'), undefined),
    fact('kernel.bpf_stats_enabled', setting(root, 'kernel/bpf_stats_enabled'), (value) =>
      value === '0'
        ? undefined
        : 'the kernel measures every BPF program, which costs some time for each drop',
    ),
    fact('net.core.bpf_jit_enable', setting(root, 'net/core/bpf_jit_enable'), (value) =>
      value === '0' ? 'BPF programs are interpreted: each drop costs several times as much' : undefined,
    ),
    fact('locked memory', memlock(root), undefined),
    fact('seccomp', SECCOMP[fieldOf(root, 'Seccomp') ?? ''], (value) =>
      value === 'filter' ? 'a filter may refuse bpf() and perf_event_open()' : undefined,
    ),
    fact('user namespace', userNamespace(root), (value) =>
      value === 'initial' ? undefined : 'capabilities count in the initial user namespace only',
    ),
    fact('PID namespace', pidNamespace(root), (value) =>
      value === 'initial'
        ? undefined
        : 'processes outside of this container, and their network namespaces, are not seen (hostPID: true shows them)',
    ),
    fact(
      'cgroup v2',
      readCgroupRoot(root).path,
      undefined,
      'it is not mounted here; a mount of its own is used',
    ),
  ];
}

function fact(
  name: string,
  value: string | undefined,
  note: ((value: string) => string | undefined) | undefined,
  unknown = 'it cannot be read here',
): EnvironmentFact {
  return value === undefined ? { name, value_unknown: unknown } : { name, value, note: note?.(value) };
}

/** The word in brackets is in force. A kernel without the file has no lockdown. */
function lockdownMode(root: string): string | undefined {
  const text = textOf(`${root}sys/kernel/security/lockdown`);
  return text === undefined ? undefined : /\[(\w+)\]/.exec(text)?.[1];
}

function setting(root: string, path: string): string | undefined {
  return textOf(`${root}proc/sys/${path}`)?.trim();
}

function memlock(root: string): string | undefined {
  const [, soft] = /^Max locked memory\s+(\S+)/m.exec(textOf(`${root}proc/self/limits`) ?? '') ?? [];
  if (soft === undefined) return undefined;
  return soft === 'unlimited' ? soft : `${soft} bytes`;
}

const SECCOMP: Readonly<Record<string, string>> = { 0: 'off', 1: 'strict', 2: 'filter' };

/** The initial one maps every number to itself. */
function userNamespace(root: string): string | undefined {
  const map = textOf(`${root}proc/self/uid_map`);
  if (map === undefined) return undefined;
  return /^\s*0\s+0\s+4294967295\s*$/.test(map) ? 'initial' : 'another one';
}

function pidNamespace(root: string): string | undefined {
  const link = ifThere(() => readlinkSync(`${root}proc/self/ns/pid`));
  if (link === undefined) return undefined;
  return link === INITIAL_PID_NAMESPACE ? 'initial' : 'another one';
}

/** Where writers are watched from: the core takes the first mount, or makes one of its own where there is none. */
export function readCgroupRoot(root = '/'): CgroupRoot {
  const [path] = cgroupMounts(root);
  return { path, isWhole: path === undefined || inodeOf(path) === CGROUP_ROOT_INODE };
}

/** Of how many processes of others the program can be told, of those that were looked at. */
export function readOtherProcesses(root = '/'): { readonly seen: number; readonly readable: number } {
  const pids = entriesOf(`${root}proc`).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const states = pids.slice(0, MAX_PROCESSES).map((pid) => isReadable(`${root}proc/${pid}/exe`));
  return {
    seen: states.filter((state) => state !== undefined).length,
    readable: states.filter((state) => state === true).length,
  };
}

/** Undefined for kernel threads, which have no program, and for what has ended. */
function isReadable(exe: string): boolean | undefined {
  try {
    readlinkSync(exe);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EACCES' ? false : undefined;
  }
}

const MAX_PROCESSES = 1024;
/** PROC_PID_INIT_INO, include/linux/proc_ns.h */
const INITIAL_PID_NAMESPACE = `pid:[${0xeffffffc}]`;
