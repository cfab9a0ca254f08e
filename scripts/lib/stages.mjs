import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { npmProgram, path, root } from './command.mjs';

const summaryPattern = /^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/;

/** Runs a script of ours whose last line on stdout says "N passed, N failed[, N skipped]"; resolves to these numbers. */
export async function runScript(script, environment, args = []) {
  const { status, lastLine } = await start(process.execPath, [script, ...args], environment);
  const [, passed = 0, failed = 0, skipped = 0] = summaryPattern.exec(lastLine) ?? [];
  return countFailure(status, { passed: Number(passed), failed: Number(failed), skipped: Number(skipped) });
}

/** Runs vitest on these projects and resolves to how many of their tests passed, failed and were skipped. */
export async function runVitest(projects, environment) {
  const results = join(environment.TMPDIR, '..', `${projects.join('-')}.json`);
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${results}`];
  const args = ['run', ...projects.flatMap((project) => ['--project', project]), ...reporters];
  const { status } = await start(npmProgram('vitest'), args, environment);
  return countFailure(status, readVitestResults(results));
}

export function sum(results) {
  const total = { passed: 0, failed: 0, skipped: 0 };
  for (const result of results) {
    for (const key of Object.keys(total)) total[key] += result[key];
  }
  return total;
}

/** Runs a command, passes its stdout on while it comes, and resolves to its status and the last line it printed. */
function start(command, args, environment) {
  const child = spawn(command, args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, PATH: path, ...environment },
  });
  let tail = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    process.stdout.write(text);
    tail = (tail + text).slice(-4096);
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, lastLine: tail.trimEnd().split('\n').at(-1) }));
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
