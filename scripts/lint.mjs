/**
 * Checks formatting, lint rules and types of everything in the project:  node scripts/lint.mjs [--write]
 *
 * --write formats instead of complaining. The last line on stdout is "N passed, N failed".
 */
import { spawnSync } from 'node:child_process';
import { main, npmProgram, read, root, Stop } from './lib/command.mjs';

const write = process.argv.includes('--write');

const checks = [
  ['TypeScript, JavaScript and JSON', npmProgram('biome'), ['check', ...(write ? ['--write'] : []), '.']],
  ['types of tests and configuration', npmProgram('tsc'), ['-p', 'test/tsconfig.json']],
  [
    'C and C++',
    'clang-format',
    [...(write ? ['-i'] : ['--dry-run', '-Werror']), ...sources(/\.(c|h|cc|hpp)$/)],
  ],
  ['shell', 'bash', ['-n', ...sources(/^\.ci\/run$|\.sh$/)]],
];

await main(() => {
  const failed = checks.filter((check) => !passes(check));
  process.stdout.write(`${checks.length - failed.length} passed, ${failed.length} failed\n`);
  if (failed.length > 0)
    throw new Stop(`lint: ${failed.map(([name]) => name).join(', ')}; try: npm run format`);
});

function passes([, command, args]) {
  return spawnSync(command, args, { cwd: root, stdio: 'inherit' }).status === 0;
}

/** Tracked files, and new ones that are not ignored; all files of the tree where there is no git. */
function sources(pattern) {
  const tracked = read('git', [
    '-c',
    'safe.directory=*',
    'ls-files',
    '--cached',
    '--others',
    '--exclude-standard',
  ]);
  if (tracked === undefined) throw new Stop('lint: git is needed to tell sources from build results');
  return tracked.split('\n').filter((file) => pattern.test(file));
}
