import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { read } from '../../scripts/lib/command.mjs';

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
  return Math.round(loadavg()[0] * 100) / 100;
}

/** CPU time that the hypervisor gave to others, from now to the call of the function that it returns. */
export function stealPercent() {
  const before = readCpuTicks();
  return () => {
    const after = readCpuTicks();
    const steal = after.steal - before.steal;
    return Math.round((1000 * steal) / Math.max(1, after.all - before.all)) / 10;
  };
}

/** proc_stat(5): user nice system idle iowait irq softirq steal. */
function readCpuTicks() {
  const [, ...ticks] = readFileSync('/proc/stat', 'utf8').split('\n')[0].split(/\s+/);
  const counted = ticks.slice(0, 8).map(Number);
  return { steal: counted[7], all: counted.reduce((sum, value) => sum + value, 0) };
}

function line(text) {
  return text?.trim().split('\n')[0];
}
