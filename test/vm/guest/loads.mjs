import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Loads the objects of each compiler below a directory, with every way to see refused sources that this kernel takes. Yields {compiler, verified, words}:
 * the instructions that the verifier has processed for each program, the most of all these loads; what was refused in words.
 */
export function* loads(directory) {
  for (const name of readdirSync(directory).sort()) {
    const verified = {};
    const words = [];
    for (const options of LOADS) {
      const { status, stderr } = load(join(directory, name, 'rpf_dump'), options);
      for (const [program, count] of processed(stderr))
        verified[program] = Math.max(count, verified[program] ?? 0);
      if (status !== 0 && !/^E_NO_BACKEND/m.test(stderr))
        words.push(`${options.join(' ')}: ${lastLine(stderr) ?? `ended with ${status}`}`);
    }
    if (Object.keys(verified).length === 0) words.push('no program was verified');
    yield { compiler: name.replace('-', ' '), verified, words };
  }
}

/** Records of single drops and counts of flows are two ways through the programs, of which the verifier sees one at a time. */
const LOADS = [
  ['-b', 'tracepoint'],
  ['-e', '-b', 'tracepoint'],
  ['-b', 'auto'],
  ['-b', 'fentry'],
  ['-b', 'fexit'],
  ['-b', 'kprobe'],
];

function load(program, options) {
  return spawnSync(program, ['-q', '-d', '0', ...options], {
    encoding: 'utf8',
    env: { ...process.env, RPFTRACE_DEBUG: '1' },
    maxBuffer: 64 << 20,
  });
}

/** What libbpf prints of each program that was loaded: its name, then the verifier's own sum. */
function processed(text) {
  return [...text.matchAll(/prog '(\w+)': -- BEGIN PROG LOAD LOG --\n[\s\S]*?^processed (\d+) insns/gm)].map(
    ([, program, count]) => [program, Number(count)],
  );
}

function lastLine(text) {
  return text
    .trim()
    .split('\n')
    .findLast((line) => /^E_/.test(line));
}
