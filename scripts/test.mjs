/**
 * Installs, builds and runs every test:  node scripts/test.mjs
 *
 * The last line on stdout is the sum: "N passed, N failed[, N skipped]". Ends with 0 when all passed, with 1 when something
 * failed, and with 3 when nothing failed but something could not be run without root.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isRoot, main, run } from './lib/command.mjs';
import { installDebianPackages } from './lib/debian.mjs';
import { fetchKubernetesTools } from './lib/kubernetes-tools.mjs';
import { lookForLeftovers } from './lib/leftovers.mjs';
import { installNpmPackages, requireNode } from './lib/npm.mjs';
import { runScript, runVitest, sum } from './lib/stages.mjs';

const stages = [
  { name: 'lint', start: (environment) => runScript('scripts/lint.mjs', environment) },
  { name: 'unit, contract', start: (environment) => runVitest(['unit', 'contract'], environment) },
  { name: 'native', start: (environment) => runScript('scripts/test-native.mjs', environment) },
  {
    name: 'kernel',
    needsRoot: 'to create network namespaces and to load BPF programs',
    start: (environment) => runVitest(['kernel'], environment),
  },
  {
    name: 'process',
    needsRoot: 'to run the tracer, with and without each of its capabilities',
    start: (environment) => runVitest(['process'], environment),
  },
  {
    name: 'package',
    needsRoot: 'to make the root file systems that it is built and installed in',
    start: (environment) => runVitest(['package'], environment),
  },
  {
    name: 'kernels',
    needsRoot: 'to make the root file system of the machines that other kernels are booted in',
    start: (environment) => runScript('scripts/test-kernels.mjs', environment, ['--short']),
  },
];

const able = stages.filter((stage) => isRoot() || !stage.needsRoot);
const unable = stages.filter((stage) => !able.includes(stage));

await main(async () => {
  tellWhatNeedsRoot(process.stderr);
  requireNode();
  installDebianPackages(['build', 'demo', 'test', 'pods', 'package']);
  installNpmPackages();
  await fetchKubernetesTools();
  run(process.execPath, ['scripts/build.mjs']);
  report(await runStages(able));
});

function tellWhatNeedsRoot(stream) {
  for (const { name, needsRoot } of unable) stream.write(`${name}: not run, needs root ${needsRoot}\n`);
}

/** Every stage gets a directory of its own for temporary files and a mark in its environment: what it leaves is found. */
async function runStages(list) {
  const scratch = mkdtempSync(join(tmpdir(), 'rpftrace-test-'));
  try {
    const findLeftovers = lookForLeftovers(scratch);
    const results = [];
    for (const stage of list) {
      process.stdout.write(`\n== ${stage.name}\n`);
      results.push({ name: stage.name, ...(await stage.start(findLeftovers.environment)) });
    }
    return [...results, { name: 'nothing left behind', ...findLeftovers() }];
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function report(results) {
  process.stdout.write('\n');
  for (const result of results) process.stdout.write(`${result.name}: ${summaryLine(result)}\n`);
  const total = sum(results);
  tellWhatNeedsRoot(process.stdout);
  process.stdout.write(`${summaryLine(total)}\n`);
  process.exitCode = total.failed > 0 ? 1 : unable.length > 0 ? 3 : 0;
}

function summaryLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}
