/**
 * Builds the native tests through cmake-js and runs them under each sanitizer:
 *
 *     node scripts/test-native.mjs [--only address|thread] [--fuzz SECONDS]
 *
 * --fuzz gives each fuzz target that much time with a seed of its own instead of the short fixed run. The last line on
 * stdout is "N passed, N failed".
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { main, npmProgram, path, read, root, run, runQuietly, Stop } from './lib/command.mjs';

const sanitizers = ['address', 'thread'];

const sanitizerOptions = {
  ASAN_OPTIONS: 'detect_stack_use_after_return=1',
  TSAN_OPTIONS: 'halt_on_error=1',
  UBSAN_OPTIONS: 'print_stacktrace=1',
};

const { values: options } = parseArgs({
  options: { only: { type: 'string' }, fuzz: { type: 'string' } },
});

await main(() => {
  if (options.only && !sanitizers.includes(options.only))
    throw new Stop(`--only ${options.only}: there are ${sanitizers.join(' and ')}`, 2);
  if (options.fuzz) return fuzz(Number(options.fuzz));
  const counts = sanitizers.filter((name) => !options.only || name === options.only).map(test);
  const passed = counts.reduce((sum, count) => sum + count.passed, 0);
  const failed = counts.reduce((sum, count) => sum + count.failed, 0);
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  if (failed > 0) process.exitCode = 1;
});

function test(sanitizer) {
  const directory = build(sanitizer);
  const scratch = mkdtempSync(join(tmpdir(), 'rpftrace-native-'));
  try {
    const junit = join(scratch, 'results.xml');
    const [command, ...args] = [...withoutRandomAddresses(sanitizer), 'ctest', '--output-on-failure'];
    spawnSync(command, [...args, '--timeout', '120', '--output-junit', junit], {
      cwd: directory,
      stdio: 'inherit',
      env: { ...process.env, PATH: path, ...sanitizerOptions },
    });
    return readResults(junit);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

/** Configures and builds into build/native/SANITIZER, silently unless it fails. */
function build(sanitizer) {
  const directory = join(root, 'build', 'native', sanitizer);
  const cmakeJs = [
    npmProgram('cmake-js'),
    ...['-d', 'native', '-O', directory, '-B', 'Debug', '-l', 'error'],
  ];
  const compilers = ['--cc', 'clang', '--cxx', 'clang++', `--CDRPF_SANITIZE=${sanitizer}`];
  const [command, ...args] = cmakeJs;
  if (!existsSync(join(directory, 'CMakeCache.txt')))
    runQuietly(command, ['configure', ...args, ...compilers]);
  runQuietly(command, ['build', ...args, '-p', String(availableParallelism())]);
  return directory;
}

/**
 * The thread sanitizer before clang 18 finds no room for its shadow memory where the kernel draws addresses from more than
 * 28 bits, as Ubuntu's does. Some containers forbid to switch that off; they may still have a kernel that draws from fewer.
 */
function withoutRandomAddresses(sanitizer) {
  const prefix = ['setarch', '--addr-no-randomize'];
  return sanitizer === 'thread' && read('setarch', [...prefix.slice(1), 'true']) !== undefined ? prefix : [];
}

function readResults(junit) {
  if (!existsSync(junit)) return { passed: 0, failed: 1 };
  const suite = /<testsuite[^>]*>/.exec(readFileSync(junit, 'utf8'))?.[0] ?? '';
  const number = (name) => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(suite)?.[1] ?? 0);
  const failed = number('failures') + number('disabled') + number('skipped');
  return { passed: number('tests') - failed, failed: number('tests') === 0 ? 1 : failed };
}

function fuzz(seconds) {
  const directory = build('address');
  const targets = readdirSync(directory).filter((name) => name.endsWith('_fuzz'));
  for (const target of targets) {
    const corpus = join(directory, 'corpus', target);
    run('mkdir', ['-p', corpus]);
    run(join(directory, target), [`-max_total_time=${seconds}`, `-artifact_prefix=${corpus}.`, corpus], {
      ...sanitizerOptions,
    });
  }
}
