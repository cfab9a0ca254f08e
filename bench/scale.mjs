/**
 * Many agents, one reader:  npm run bench:scale -- [--agents N] [--rates A,B,...] [--seconds N] [--silent N] [--past EVENTS] [--results DIR]
 *
 * Simulates the agents of a cluster (bench/lib/agents.mjs, on loopback) and has one `rpftrace attach` follow all of them: first
 * without events, then with so many a second from each, with some that fall silent and come back in between. Then another one
 * reads what the agents have told in ten minutes before. Holds what the reader writes against what the agents told: order,
 * gaps, doubles. Ends with 0 when nothing was missing, twice, or in another order than it should be.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { main, root } from '../scripts/lib/command.mjs';
import { describeMachine, loadAverage } from './lib/machine.mjs';
import { startAgents } from './lib/scale-cluster.mjs';
import { startReader } from './lib/scale-reader.mjs';
import { formatScale } from './lib/scale-report.mjs';
import { quantile, round } from './lib/statistics.mjs';
import { cpuSeconds, peakRssBytes } from './lib/usage.mjs';

/** Longer than the window in which the reader puts events in order. */
const SETTLE_MS = 4000;

await main(async () => {
  const options = readOptions();
  const load = { before: loadAverage() };
  const live = await readLive(options);
  const past = await readPast(options);
  const result = {
    ...{ v: 1, machine: describeMachine(root), load: { ...load, after: loadAverage() } },
    ...{ options, live, past },
  };
  const report = formatScale(result);
  process.stdout.write(`\n${report}`);
  write(report, result, options);
  process.exitCode = [live, past].every(isWhole) ? 0 : 1;
});

function readOptions() {
  const { values } = parseArgs({
    options: {
      agents: { type: 'string', default: '1000' },
      rates: { type: 'string', default: '1,5' },
      seconds: { type: 'string', default: '12' },
      silent: { type: 'string', default: '20' },
      past: { type: 'string', default: '105' },
      results: { type: 'string', default: join(root, 'bench', 'results') },
    },
  });
  const { agents, seconds, silent, past } = values;
  return {
    ...{ agents: Number(agents), seconds: Number(seconds), silent: Number(silent) },
    ...{ past: Number(past), pastSeconds: 600 },
    ...{ rates: values.rates.split(',').map(Number), results: values.results },
  };
}

/** What comes while it is followed. */
async function readLive(options) {
  const cluster = await startAgents(options.agents);
  const reader = startReader(cluster.urls);
  // Those of the first process that leave and come back.
  for (const url of cluster.urls.slice(0, options.silent)) reader.check.away.add(url.split('/').at(-1));
  try {
    const phases = [];
    await reader.until(({ stderr }) => stderr.includes('attached'));
    for (const phase of phasesOf(options)) phases.push(await measure(phase, cluster, reader, options));
    cluster.tell({ rate: 0 });
    await sleep(SETTLE_MS);
    const told = await cluster.told();
    const { stderr } = await reader.stop();
    return { phases, told, check: reader.check.result, stderr };
  } finally {
    reader.kill();
    cluster.stop();
  }
}

/** What has come before. */
async function readPast({ agents, past, pastSeconds }) {
  const cluster = await startAgents(agents);
  cluster.tell({ past: { events: past, seconds: pastSeconds } });
  const told = await cluster.told();
  const startMs = performance.now();
  const reader = startReader(cluster.urls, ['--since', '10m']);
  try {
    await reader.until(() => reader.check.result.events >= told);
    const seconds = round((performance.now() - startMs) / 1000, 1);
    const figures = {
      ...{ seconds, megabytes: round(reader.check.bytes / 1e6) },
      ...{
        cpu_seconds: round(cpuSeconds(reader.pid), 1),
        peak_rss_mb: round(peakRssBytes(reader.pid) / 1e6),
      },
    };
    const { stderr } = await reader.stop();
    return { ...figures, told, check: reader.check.result, stderr };
  } finally {
    reader.kill();
    cluster.stop();
  }
}

function isWhole({ told, check }) {
  return check.gaps + check.doubles + check.disordered === 0 && told === check.events;
}

function phasesOf({ rates }) {
  return [{ name: 'no events', rate: 0 }, ...rates.map((rate) => ({ name: `${rate}/s each`, rate }))];
}

/** What one phase costs the reader. Some agents are away for its middle third. */
async function measure({ name, rate }, cluster, reader, { seconds, silent }) {
  cluster.tell({ rate });
  await sleep(SETTLE_MS);
  const before = { cpu: cpuSeconds(reader.pid), ms: performance.now(), ...reader.check.begin() };
  await sleep((seconds * 1000) / 3);
  if (rate > 0) cluster.tell({ leave: silent });
  await sleep((seconds * 1000) / 3);
  if (rate > 0) cluster.tell({ comeBack: silent });
  await sleep((seconds * 1000) / 3);
  const elapsed = (performance.now() - before.ms) / 1000;
  const lags = reader.check.lags;
  return {
    name,
    events_per_second: round((reader.check.result.events - before.events) / elapsed),
    megabytes_per_second: round((reader.check.bytes - before.bytes) / elapsed / 1e6, 2),
    cpu_percent: round((100 * (cpuSeconds(reader.pid) - before.cpu)) / elapsed, 1),
    peak_rss_mb: round(peakRssBytes(reader.pid) / 1e6),
    lag_ms: lags.length > 0 ? { median: round(quantile(lags, 0.5)), p99: round(quantile(lags, 0.99)) } : null,
  };
}

function write(report, result, { results }) {
  mkdirSync(results, { recursive: true });
  const file = join(results, `${new Date().toISOString().slice(0, 10)}-${result.machine.kernel}-scale`);
  writeFileSync(`${file}.json`, `${JSON.stringify(result, null, 2)}\n`);
  writeFileSync(`${file}.txt`, report);
}
