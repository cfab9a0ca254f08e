import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

/** CPU time of a process, all threads that it has now, in seconds; /proc/PID/task/TID/schedstat has nanoseconds. */
export function cpuSeconds(pid) {
  const threads = readdirSync(`/proc/${pid}/task`);
  return threads.reduce((sum, thread) => sum + threadNs(`/proc/${pid}/task/${thread}`), 0) / 1e9;
}

/** 0 when it has just ended. */
function threadNs(directory) {
  try {
    return Number(readFileSync(`${directory}/schedstat`, 'utf8').split(' ')[0]);
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return 0;
    throw error;
  }
}

/** VmHWM: the most memory that a process ever had; 0 when it has ended. */
export function peakRssBytes(pid) {
  return memoryBytes(pid, /^VmHWM:\s*(\d+) kB/m);
}

/** VmRSS: the memory that a process has now; 0 when it has ended. */
export function rssBytes(pid) {
  return memoryBytes(pid, /^VmRSS:\s*(\d+) kB/m);
}

function memoryBytes(pid, pattern) {
  try {
    const [, kib] = pattern.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return Number(kib ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** Run time and runs of all BPF programs that a process holds, while kernel.bpf_stats_enabled is 1. */
export function bpfRuns(pid) {
  const programs = new Map();
  for (const fd of readdirSync(`/proc/${pid}/fdinfo`)) {
    const text = readFdInfo(pid, fd);
    const member = (name) => Number(new RegExp(`^${name}:\\s*(\\d+)$`, 'm').exec(text)?.[1]);
    // A link names its program too, but does not know its times.
    if (/^run_cnt:/m.test(text))
      programs.set(member('prog_id'), { ns: member('run_time_ns'), runs: member('run_cnt') });
  }
  const all = [...programs.values()];
  const total = (name) => all.reduce((sum, program) => sum + program[name], 0);
  return { ns: total('ns'), runs: total('runs') };
}

/** Empty for a descriptor that was closed meanwhile. */
function readFdInfo(pid, fd) {
  try {
    return readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return '';
    throw error;
  }
}

/** Does the work with kernel.bpf_stats_enabled=1, and puts it back however that ends. */
export async function withBpfStats(work) {
  const before = readFileSync(BPF_STATS, 'utf8');
  writeFileSync(BPF_STATS, '1\n');
  try {
    return await work();
  } finally {
    writeFileSync(BPF_STATS, before);
  }
}

const BPF_STATS = '/proc/sys/kernel/bpf_stats_enabled';
