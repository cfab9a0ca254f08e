import { lstatSync, statSync } from 'node:fs';
import type { Hint } from '../events.js';
import { entriesOf, ifThere, textOf } from '../if-there.js';
import { nodeRoot } from '../node-root.js';
import { findPersisted, givenBy } from './persist.js';

/**
 * What can still be known of a value that was there before anybody looked: when the files that set this very value were
 * written, and when the programs that read these were started last. Hints, no proof: any of them may have nothing to do with it.
 */
export function findHints(key: string, value: number, root = nodeRoot()): Hint[] {
  const lines = findPersisted([key], root).filter((line) => givenBy(line) === String(value));
  const programs = new Set(lines.map(({ by }) => by));
  const files = new Map(lines.map((line) => [`${line.file}:${line.line}`, line]));
  return [
    ...[...files].flatMap(([name, { file }]) => fileHint(name, file, root)),
    ...(programs.has('sysctl') ? unitHint('systemd-sysctl.service', root) : []),
    ...(programs.has('tuned') ? processHint('tuned', root) : []),
  ].slice(0, MAX_HINTS);
}

function fileHint(name: string, file: string, root: string): Hint[] {
  const stat = ifThere(() => statSync(`${root}${file.slice(1)}`, { bigint: true }));
  return stat === undefined ? [] : [{ kind: 'file_written', name, time: stamp(stat.mtimeNs) }];
}

/** systemd keeps a link for each unit that is active, made anew each time that it is started. */
function unitHint(unit: string, root: string): Hint[] {
  const link = ifThere(() => lstatSync(`${root}run/systemd/units/invocation:${unit}`, { bigint: true }));
  return link === undefined ? [] : [{ kind: 'unit_started', name: unit, time: stamp(link.mtimeNs) }];
}

function processHint(comm: string, root: string): Hint[] {
  const pid = processesOf(root).find((one) => textOf(`${root}proc/${one}/comm`)?.trim() === comm);
  const startedNs = pid === undefined ? undefined : startOf(pid, root);
  return startedNs === undefined
    ? []
    : [{ kind: 'process_started', name: `${comm} (pid ${pid})`, time: stamp(startedNs) }];
}

function processesOf(root: string): string[] {
  return entriesOf(`${root}proc`)
    .filter((name) => /^\d+$/.test(name))
    .slice(0, MAX_PROCESSES);
}

/** proc(5): field 22 of stat, in ticks since boot; the name in field 2 may hold anything. Nanoseconds since 1970. */
function startOf(pid: string, root: string): bigint | undefined {
  const stat = textOf(`${root}proc/${pid}/stat`);
  const boot = /^btime (\d+)$/m.exec(textOf(`${root}proc/stat`) ?? '')?.[1];
  const ticks = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  if (ticks === undefined || boot === undefined) return undefined;
  return BigInt(boot) * 1_000_000_000n + (BigInt(ticks) * 1_000_000_000n) / TICKS_PER_SECOND;
}

function stamp(wallNs: bigint): string {
  const second = new Date(Number(wallNs / 1_000_000_000n) * 1000).toISOString().slice(0, 19);
  return `${second}.${String(wallNs % 1_000_000_000n).padStart(9, '0')}Z`;
}

/** USER_HZ, the same on all architectures that Node runs on. */
const TICKS_PER_SECOND = 100n;
const MAX_HINTS = 6;
const MAX_PROCESSES = 65_536;
