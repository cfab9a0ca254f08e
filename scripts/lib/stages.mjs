import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { npmProgram, path, root } from './command.mjs';

const summaryPattern = /^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/;

/** Runs a script of ours whose last line on stdout says "N passed, N failed[, N skipped]"; returns these numbers. */
export function runScript(script, environment) {
  const { status, stdout } = start(process.execPath, [script], environment, ['ignore', 'pipe', 'inherit']);
  process.stdout.write(stdout);
  const [, passed, failed, skipped = '0'] = summaryPattern.exec(stdout.trimEnd().split('\n').at(-1)) ?? [
    0, 0, 0,
  ];
  return countFailure(status, { passed: Number(passed), failed: Number(failed), skipped: Number(skipped) });
}

/** Runs vitest on these projects and returns how many of their tests passed, failed and were skipped. */
export function runVitest(projects, environment) {
  const results = join(environment.TMPDIR, '..', `${projects.join('-')}.json`);
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${results}`];
  const args = ['run', ...projects.flatMap((project) => ['--project', project]), ...reporters];
  const { status } = start(npmProgram('vitest'), args, environment, 'inherit');
  return countFailure(status, readVitestResults(results));
}

export function sum(results) {
  const total = { passed: 0, failed: 0, skipped: 0 };
  for (const result of results) {
    for (const key of Object.keys(total)) total[key] += result[key];
  }
  return total;
}

function start(command, args, environment, stdio) {
  return spawnSync(command, args, {
    cwd: root,
    stdio,
    encoding: 'utf8',
    maxBuffer: 256 << 20,
    env: { ...process.env, PATH: path, ...environment },
  });
}

function readVitestResults(file) {
  if (!existsSync(file)) return { passed: 0, failed: 0, skipped: 0 };
  const json = JSON.parse(readFileSync(file, 'utf8'));
  rmSync(file);
  return {
    passed: json.numPassedTests,
    failed: json.numFailedTests,
    skipped: json.numPendingTests + json.numTodoTests,
  };
}

/** A stage that failed without a failed test (it crashed, a file could not be loaded) counts as one failure. */
function countFailure(status, counts) {
  return status === 0 || counts.failed > 0 ? counts : { ...counts, failed: 1 };
}
