import { readFileSync } from 'node:fs';
import type { Lab } from './lab.js';

/** What the kernel itself counts of refused sources. */
export interface Counters {
  /** TcpExt IPReversePathFilter of the node's network namespace. */
  readonly reversePathFilter: number;
  /** in_martian_src of /proc/net/stat/rt_cache: of the whole machine, since it booted. */
  readonly martians: number;
}

export async function readCounters(lab: Lab, signal?: AbortSignal): Promise<Counters> {
  const netstat = await lab.inside('node', 'cat /proc/net/netstat', signal);
  return { reversePathFilter: reversePathFilter(netstat), martians: martians() };
}

function reversePathFilter(netstat: string): number {
  const [names = [], values = []] = netstat
    .split('\n')
    .filter((line) => line.startsWith('TcpExt:'))
    .map((line) => line.split(' '));
  return Number(values[names.indexOf('IPReversePathFilter')]);
}

/** A line of names, then a line of hexadecimal numbers for each CPU. */
function martians(): number {
  const [names = [], ...cpus] = readFileSync('/proc/net/stat/rt_cache', 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split(/\s+/));
  const column = names.indexOf('in_martian_src');
  return cpus.reduce((sum, cpu) => sum + Number.parseInt(cpu[column] ?? '0', 16), 0);
}
