/**
 * Measures what tracing costs, with real drops, rivals side by side:  npm run bench -- [options]
 *
 * Prints a table and writes it to bench/results/<date>-<kernel>.txt, all figures to the .json beside it. Ends with 0 when everything was measured and every drop
 * accounted for, whether targets are met or not; with 1 when not; with 2 for wrong usage.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isRoot, main, root, Stop } from '../scripts/lib/command.mjs';
import { Bench } from './lib/bench.mjs';
import { describeMachine, loadAverage, stealPercent } from './lib/machine.mjs';
import { readOptions, usage } from './lib/options.mjs';
import { formatReport } from './lib/report.mjs';
import { judge } from './lib/targets.mjs';

await main(async () => {
  const options = readOptions(process.argv.slice(2));
  if (options.help) return process.stdout.write(usage);
  if (!isRoot()) throw new Stop('the bench needs root: it creates network namespaces and loads BPF programs');
  const result = await measure(options);
  const report = formatReport(result);
  process.stdout.write(`\n${report}\nwritten to ${write(result, report, options)}\n`);
  for (const problem of result.problems) process.stderr.write(`bench: ${problem}\n`);
  process.exitCode = result.problems.length > 0 ? 1 : 0;
});

async function measure(options) {
  const started = new Date();
  const machine = describeMachine(options.scratch);
  const load = { before: loadAverage() };
  const steal = stealPercent();
  const signal = stopSignal();
  const bench = await Bench.open(options, signal);
  try {
    const { cases, repeated, problems } = await bench.run();
    Object.assign(load, { after: loadAverage(), steal_percent: steal() });
    return {
      v: 1,
      started: started.toISOString(),
      machine,
      load,
      options: settings(options),
      repeated,
      cases,
      targets: judge(cases),
      problems,
    };
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    await bench.close();
  }
}

/** The options that figures depend on. */
function settings({ help, scratch, results, ...rest }) {
  return rest;
}

function write(result, report, { results }) {
  const directory = results ?? join(root, 'bench', 'results');
  const file = join(directory, `${result.started.slice(0, 10)}-${result.machine.kernel}`);
  mkdirSync(directory, { recursive: true });
  writeFileSync(`${file}.json`, `${JSON.stringify(result, null, 2)}\n`);
  writeFileSync(`${file}.txt`, report);
  return `${file}.json`;
}

/** Aborted by the signals that ask us to end, so that namespaces, sysctls and children are put back. */
function stopSignal() {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.once(name, () => controller.abort(new Stop(`ended by ${name}`)));
  }
  // Nobody is left who would read how it goes on.
  process.stderr.on('error', (error) => controller.abort(error));
  return controller.signal;
}
