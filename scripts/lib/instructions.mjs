import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './command.mjs';

/** The objects of scripts/build-bpf.mjs, by the way in which they read the kernel. */
export const OBJECTS = ['cast', 'probe', 'legacy'];

/** Instructions of each function in a BPF object, {name: count}, as the compiler made them. */
export function countInstructions(object) {
  const table = execFileSync('llvm-readelf', ['--symbols', '--wide', object], { encoding: 'utf8' });
  const rows = table.split('\n').map((line) => line.trim().split(/\s+/));
  return Object.fromEntries(
    rows
      .filter(([, , , type, , , section]) => type === 'FUNC' && section !== 'UND')
      .map(([, , bytes, , , , , name]) => [name, Number(bytes) / INSTRUCTION_BYTES])
      .sort(([a], [b]) => a.localeCompare(b)),
  );
}

/** "clang 14": programs differ by the compiler's major version. */
export function compilerName(clang = process.env.CLANG ?? 'clang') {
  const text = execFileSync(clang, ['--version'], { encoding: 'utf8', cwd: root });
  return `clang ${/version (\d+)/.exec(text)?.[1]}`;
}

/** {compiler: {object: {function: count}}} as it was recorded. */
export function recordedInstructions() {
  return JSON.parse(readFileSync(RECORD, 'utf8'));
}

/** struct bpf_insn; the few of twice the size count as two. */
const INSTRUCTION_BYTES = 8;
export const RECORD = join(root, 'test', 'fixtures', 'instructions.json');
