import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { read } from '../../scripts/lib/command.mjs';
import { round } from './statistics.mjs';

/** What the figures depend on. No names: results are published. */
export function describeMachine(scratch) {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memory_mib: Math.round(totalmem() / 2 ** 20),
    kernel: release(),
    architecture: process.arch,
    node: process.version,
    bpftrace: bpftraceVersion() ?? null,
    scratch_filesystem: line(read('stat', ['--file-system', '--format=%T', scratch])) ?? 'unknown',
    commit: line(read('git', ['rev-parse', 'HEAD'])) ?? 'unknown',
    modified: (read('git', ['status', '--porcelain', '--untracked-files=no']) ?? '') !== '',
  };
}

/** "0.17.0"; undefined where bpftrace is not installed. */
export function bpftraceVersion() {
  return /v?(\d[\w.-]*)/.exec(read('bpftrace', ['--version']) ?? '')?.[1];
}

/** Of the last minute: processes that run or want to. */
export function loadAverage() {
  return round(loadavg()[0], 2);
}

/** Share of the CPU time that the hypervisor gave to others, from now to the call of the function that it returns. */
export function stealPercent() {
  const before = readCpuSeconds();
  return () => {
    const after = readCpuSeconds();
    return round((100 * (after.steal - before.steal)) / Math.max(TICK_SECONDS, after.all - before.all), 1);
  };
}

/** CPU time that all processes took, from now to the call of the function that it returns. */
export function busySeconds() {
  const before = readCpuSeconds();
  return () => readCpuSeconds().busy - before.busy;
}

/** proc_stat(5): user nice system idle iowait irq softirq steal. */
function readCpuSeconds() {
  const [, ...words] = readFileSync('/proc/stat', 'utf8').split('\n')[0].split(/\s+/);
  const [user, nice, system, idle, iowait, irq, softirq, steal] = words.map(
    (word) => Number(word) * TICK_SECONDS,
  );
  const busy = user + nice + system + irq + softirq;
  return { busy, steal, all: busy + idle + iowait + steal };
}

/** USER_HZ, the same on all of Linux's usual architectures. */
const TICK_SECONDS = 0.01;

function line(text) {
  return text?.trim().split('\n')[0];
}
