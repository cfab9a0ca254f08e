import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { read } from './command.mjs';

/**
 * Remembers what is there now. The function it returns says what has come since, as one test: processes that carry the mark
 * of its `environment`, temporary files, untracked files in the project, network namespaces, pinned BPF objects.
 */
export function lookForLeftovers(scratch) {
  const mark = `RPFTRACE_TEST_RUN=${process.pid}.${Date.now()}`;
  const temporary = join(scratch, 'tmp');
  mkdirSync(temporary);
  const before = observe(temporary, mark);
  const find = () => {
    const left = observe(temporary, mark).filter((thing) => !before.includes(thing));
    for (const thing of left) process.stdout.write(`left behind: ${thing}\n`);
    return { passed: left.length === 0 ? 1 : 0, failed: left.length === 0 ? 0 : 1, skipped: 0 };
  };
  const [name, value] = mark.split('=');
  return Object.assign(find, { environment: { [name]: value, TMPDIR: temporary } });
}

function observe(temporary, mark) {
  return [
    ...list(temporary).map((name) => `temporary file ${name}`),
    ...networkNamespaces(mark).map((name) => `network namespace ${name}`),
    ...list('/sys/fs/bpf').map((name) => `pinned BPF object ${name}`),
    ...untracked().map((line) => `file ${line}`),
    ...markedProcesses(mark).map((pid) => `process ${pid} ${commandLine(pid)}`),
  ];
}

function list(directory) {
  try {
    return readdirSync(directory);
  } catch {
    return []; // it does not exist, or needs root: then nobody without root can have left anything there
  }
}

/** All but those of another run: the tests' namespaces carry the process that made them in their names. */
function networkNamespaces(mark) {
  return list('/run/netns').filter((name) => {
    const maker = /\d{2,}/.exec(name)?.[0];
    return !maker || !existsSync(join('/proc', maker)) || isMarked(maker, mark);
  });
}

function untracked() {
  const status =
    read('git', ['-c', 'safe.directory=*', 'status', '--porcelain', '--untracked-files=all']) ?? '';
  return status.split('\n').filter((line) => line.startsWith('??'));
}

function markedProcesses(mark) {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => isMarked(pid, mark));
}

function isMarked(pid, mark) {
  return readProc(pid, 'environ').split('\0').includes(mark);
}

function commandLine(pid) {
  return readProc(pid, 'cmdline').split('\0').join(' ').trim();
}

function readProc(pid, file) {
  try {
    return readFileSync(join('/proc', pid, file), 'utf8');
  } catch {
    return ''; // it has ended meanwhile
  }
}
