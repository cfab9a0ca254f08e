import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isRoot, root, Stop } from '../../scripts/lib/command.mjs';
import { Bench } from './bench.mjs';
import { describeMachine, loadAverage, stealPercent } from './machine.mjs';
import { readOptions, usageOf } from './options.mjs';
import { stopSignal } from './stop-signal.mjs';

/**
 * A bench from its command line to its files. `kind`: its name, cases and measures, how long a full and a quick one take, what is
 * promised (`judge`) and how it is told (`format`). Throws a Stop.
 */
export async function runBench(kind) {
  const options = readOptions(process.argv.slice(2), kind);
  if (options.help) return process.stdout.write(usageOf(kind));
  if (!isRoot()) throw new Stop('the bench needs root: it creates network namespaces and loads BPF programs');
  const result = await measure(options, kind);
  const report = kind.format(result);
  process.stdout.write(`\n${report}\nwritten to ${write(result, report, options, kind)}\n`);
  for (const problem of result.problems) process.stderr.write(`bench: ${problem}\n`);
  process.exitCode = result.problems.length > 0 ? 1 : 0;
}

async function measure(options, kind) {
  const started = new Date();
  const machine = describeMachine(options.scratch);
  const load = { before: loadAverage() };
  const steal = stealPercent();
  const signal = stopSignal();
  const bench = await Bench.open(options, signal, kind);
  try {
    const { cases, repeated, problems } = await kind.measure(bench);
    Object.assign(load, { after: loadAverage(), steal_percent: steal() });
    return {
      v: 1,
      started: started.toISOString(),
      machine,
      load,
      options: settings(options),
      repeated,
      cases,
      targets: kind.judge(cases),
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

function write(result, report, { results }, { suffix }) {
  const directory = results ?? join(root, 'bench', 'results');
  const file = join(directory, `${result.started.slice(0, 10)}-${result.machine.kernel}${suffix}`);
  mkdirSync(directory, { recursive: true });
  writeFileSync(`${file}.json`, `${JSON.stringify(result, null, 2)}\n`);
  writeFileSync(`${file}.txt`, report);
  return `${file}.json`;
}
