/**
 * Many agents, one reader:  npm run bench:scale -- [--agents N] [--rates A,B,...] [--seconds N] [--silent N] [--results DIR]
 *
 * Simulates the agents of a cluster (bench/lib/agents.mjs, on loopback) and has one `rpftrace attach` follow all of them: first
 * without events, then with so many a second from each, with some that fall silent and come back in between. Holds what the
 * reader writes against what the agents told: order, gaps, doubles. Ends with 0 when nothing was missing.
 */
import { fork, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { main, root } from '../scripts/lib/command.mjs';
import { describeMachine, loadAverage } from './lib/machine.mjs';
import { quantile, round } from './lib/statistics.mjs';
import { StreamCheck } from './lib/stream-check.mjs';
import { cpuSeconds, peakRssBytes } from './lib/usage.mjs';

const PROCESSES = 2;
/** Longer than the window in which the reader puts events in order. */
const SETTLE_MS = 4000;
const LINES_SHOWN = 30;

await main(async () => {
  const options = readOptions();
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
    const result = { phases, told, check: reader.check.result, stderr };
    const report = format(result, options);
    process.stdout.write(`\n${report}`);
    write(report, { v: 1, machine: describeMachine(root), load: loadAverage(), options, ...result }, options);
    const { gaps, doubles, disordered } = result.check;
    process.exitCode = gaps + doubles + disordered === 0 && told === result.check.events ? 0 : 1;
  } finally {
    reader.kill();
    cluster.stop();
  }
});

function readOptions() {
  const { values } = parseArgs({
    options: {
      agents: { type: 'string', default: '1000' },
      rates: { type: 'string', default: '1,5,10' },
      seconds: { type: 'string', default: '10' },
      silent: { type: 'string', default: '20' },
      results: { type: 'string', default: join(root, 'bench', 'results') },
    },
  });
  const { agents, seconds, silent } = values;
  return {
    ...{ agents: Number(agents), seconds: Number(seconds), silent: Number(silent) },
    ...{ rates: values.rates.split(',').map(Number), results: values.results },
  };
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

/** The agents, in a few processes. */
async function startAgents(count) {
  const each = Math.ceil(count / PROCESSES);
  const firsts = Array.from({ length: PROCESSES }, (_, index) => index * each);
  const children = firsts.map((first) =>
    fork(new URL('lib/agents-process.mjs', import.meta.url), [first, Math.min(each, count - first)]),
  );
  const answers = (key) =>
    Promise.all(
      children.map(
        (child) =>
          new Promise((resolve) => {
            child.once('message', (message) => resolve(message[key]));
          }),
      ),
    );
  const urls = (await answers('urls')).flat();
  return {
    urls,
    tell: ({ leave, comeBack, ...message }) => {
      for (const child of children) child.send(message);
      if (leave ?? comeBack) children[0].send({ leave, comeBack });
    },
    told: async () => {
      const counts = answers('told');
      for (const child of children) child.send({ count: true });
      return (await counts).reduce((sum, one) => sum + one, 0);
    },
    stop: () => {
      for (const child of children) child.disconnect();
    },
  };
}

/** One `rpftrace attach`, and what becomes of its output. */
function startReader(urls) {
  const words = [join(root, 'bin', 'rpftrace'), 'attach', ...urls, '-o', 'ndjson'];
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'pipe'] });
  const check = new StreamCheck();
  const said = { stderr: '' };
  let onText = () => undefined;
  child.stdout.on('data', (bytes) => check.take(bytes));
  child.stderr.on('data', (bytes) => {
    said.stderr += bytes;
    onText();
  });
  const ended = new Promise((resolve) => child.once('close', resolve));
  return {
    check,
    pid: child.pid,
    until: (holds) =>
      new Promise((resolve, reject) => {
        onText = () => holds(said) && resolve();
        ended.then(() => reject(new Error(`the reader ended: ${said.stderr}`)));
        onText();
      }),
    stop: async () => {
      child.kill('SIGINT');
      await ended;
      return said;
    },
    kill: () => child.kill('SIGKILL'),
  };
}

function format({ phases, told, check, stderr }, { agents, silent, seconds }) {
  const machine = describeMachine(root);
  const rows = phases.map((phase) => [
    phase.name,
    phase.events_per_second.toLocaleString('en'),
    String(phase.megabytes_per_second),
    `${phase.cpu_percent} %`,
    String(phase.peak_rss_mb),
    phase.lag_ms ? `${phase.lag_ms.median} / ${phase.lag_ms.p99}` : '',
  ]);
  const head = ['each agent', 'events/s', 'MB/s', 'CPU', 'peak RSS, MB', 'behind, ms: median / p99'];
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column].length)),
  );
  const line = (cells) => cells.map((cell, column) => cell.padStart(widths[column])).join('  ');
  return `${[
    `${machine.cpu}, ${machine.cores} cores, Linux ${machine.kernel}, Node ${machine.node}, ${machine.commit?.slice(0, 9)}`,
    `${agents} agents, one reader, ${seconds} s each; ${silent} agents away for the middle third of each with events`,
    '',
    ...[head, ...rows].map(line),
    '',
    `told ${told}, read ${check.events}: ${check.gaps} missing, ${check.doubles} double, ${check.disordered} out of order, ${check.late} late of those who were away`,
    '',
    ...stderr.trimEnd().split('\n').slice(-LINES_SHOWN),
  ].join('\n')}\n`;
}

function write(report, result, { results }) {
  mkdirSync(results, { recursive: true });
  const file = join(results, `${new Date().toISOString().slice(0, 10)}-${result.machine.kernel}-scale`);
  writeFileSync(`${file}.json`, `${JSON.stringify(result, null, 2)}\n`);
  writeFileSync(`${file}.txt`, report);
}
