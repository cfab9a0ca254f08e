import { setTimeout as sleep } from 'node:timers/promises';
import { Audience } from './audience.mjs';
import { measureLatency, RATE } from './latency.mjs';
import { othersPercent } from './measures.mjs';
import { ask, NEIGHBOURS } from './neighbours.mjs';
import { round } from './statistics.mjs';
import { cpuSeconds, peakRssBytes, rssBytes } from './usage.mjs';

/** What is measured of a server, its readers and its sinks; as MEASURES has it. */
export const SERVE_MEASURES = {
  flood: { rounds: (options) => options.runs, once: floodRun, summarize: worstOf },
  latency: {
    rounds: () => 1,
    suits: ({ isOurs, isStream, isServer, readers }) => isOurs && isStream && (!isServer || readers > 0),
    once: latencyRun,
    summarize: ([sample]) => sample,
  },
  idle: {
    rounds: () => 1,
    suits: ({ isServer, isStream, readers }) => isServer && !isStream && readers === 0,
    once: idleRun,
    summarize: ([sample]) => sample,
  },
};

export const SERVE_MEASURE_NAMES = Object.keys(SERVE_MEASURES);

/** Of CPU and speed the median run, by CPU; of losses and memory the worst. */
function worstOf(runs) {
  const middle = [...runs].sort((a, b) => a.cpu_seconds - b.cpu_seconds)[Math.floor(runs.length / 2)];
  const most = (name) => Math.max(...runs.map((run) => run[name]));
  return {
    ...middle,
    ...{ lost: most('lost'), untold: most('untold'), peak_rss_mb: most('peak_rss_mb') },
    ...(middle.unheard_events !== undefined && { unheard_events: most('unheard_events') }),
    runs,
  };
}

/** Drops at the one rate; what came of them, and what it took. */
async function floodRun(bench, tracer) {
  const [rate] = bench.options.rates;
  return await attended(bench, tracer, async ({ trace, audience, neighbours }) => {
    const cpuBefore = cpuSeconds(trace.pid);
    const sent = await bench.flood.send(Math.round(rate * bench.options.rateSeconds), rate);
    await sleep(tracer.quietMs, undefined, { signal: bench.signal });
    const cpu = cpuSeconds(trace.pid) - cpuBefore;
    const told = tracer.isServer ? await toldBy(trace, bench) : undefined;
    const peakRss = await trace.stop();
    const heard = await audience?.heard;
    const account = told ?? (await tracer.account(trace, bench.facts));
    bench.check(tracer, sent, account);
    if (heard) checkReaders(bench, tracer, sent, heard);
    for (const problem of neighbours.flatMap(({ check }) => check()))
      bench.fail(`${tracer.title}: ${problem}`);
    return {
      sender_per_second: round(sent.perSecond),
      drops: sent.dropped,
      ...{ counted: account.counted, lost: account.lost },
      untold: sent.dropped - account.counted - account.lost,
      cpu_seconds: round(cpu, 3),
      cpu_percent: round((100 * cpu) / sent.seconds, 1),
      peak_rss_mb: round(peakRss / 1e6, 1),
      ...(heard && figuresOf(heard)),
      others_percent: othersPercent(sent, cpu),
    };
  });
}

/** From the drop to the line in the first reader, with the others beside it; of a trace, to the line in its pipe. */
async function latencyRun(bench, tracer) {
  if (!tracer.isServer) return await measureLatency(bench, tracer);
  return await attended(bench, tracer, async ({ trace, audience }) => {
    const { dropped } = await bench.flood.send(RATE * bench.options.latencySeconds, RATE);
    await trace.stop();
    const { delays, unheard } = await audience.heard;
    const lines = delays?.lines ?? 0;
    if (lines + unheard.events < dropped) bench.fail(`latency: ${dropped} drops, but ${lines} lines`);
    return { rate: RATE, ...delays };
  });
}

/** What it uses when nothing is dropped, once it has settled. */
async function idleRun(bench, tracer) {
  const { signal, options } = bench;
  return await attended(bench, tracer, async ({ trace }) => {
    await sleep(options.settleSeconds * 1000, undefined, { signal });
    const before = cpuSeconds(trace.pid);
    await sleep(options.idleSeconds * 1000, undefined, { signal });
    const seconds = cpuSeconds(trace.pid) - before;
    return {
      seconds: options.idleSeconds,
      cpu_percent: round((100 * seconds) / options.idleSeconds, 3),
      rss_mb: round(rssBytes(trace.pid) / 1e6, 1),
      peak_rss_mb: round(peakRssBytes(trace.pid) / 1e6, 1),
    };
  });
}

/** Runs it with its neighbours and its readers while `work` is done. */
async function attended(bench, tracer, work) {
  const neighbours = await Promise.all((tracer.neighbours ?? []).map((name) => NEIGHBOURS[name](bench)));
  const places = { netns: bench.flood.netns };
  for (const { name, url } of neighbours) places[name] = url;
  try {
    return await bench.withTrace(tracer, { cpu: bench.cpus.tracer, places }, async (trace) => {
      for (const { begin } of neighbours) await begin?.(trace);
      const audience = tracer.readers > 0 ? await openAudience(bench, tracer, trace) : undefined;
      try {
        return await work({ trace, audience, neighbours });
      } finally {
        audience?.close();
      }
    });
  } finally {
    for (const { close } of neighbours) close();
  }
}

function openAudience({ flood, cpus }, { readers }, { socket }) {
  return Audience.open({ socket, readers, netns: flood.netns, cpu: cpus.sender });
}

/** By its own metrics: each drop, be there a reader or not. */
async function toldBy({ socket }, { flood }) {
  const text = await ask(socket, '/metrics');
  const ours = `reason="IP_RPFILTER"`;
  const isOurs = (line) => line.includes(ours) && line.includes(`device="${flood.device}"`);
  return {
    counted: sum(text, 'rpftrace_drops_total', isOurs),
    lost: sum(text, 'rpftrace_lost_drops_total', () => true),
    problems: [],
  };
}

function sum(metrics, name, wants) {
  const lines = metrics.split('\n').filter((line) => line.startsWith(`${name}{`) && wants(line));
  return lines.reduce((total, line) => total + Number(line.slice(line.lastIndexOf(' '))), 0);
}

/** The first reader was told of each drop, or that it was lost, to all or to it alone; the others of as much as it. */
function checkReaders(
  bench,
  { title },
  { dropped },
  { counted, lost, unheard, problems, bytes, lost_events: all },
) {
  const missing = dropped - counted - lost - unheard.drops;
  // What others lose on this machine meanwhile is in what the reader lost.
  if (unheard.drops === 0 ? missing !== 0 : missing > 0)
    bench.fail(`${title}: a reader was not told of ${missing} of ${dropped} drops`);
  for (const problem of problems) bench.fail(`${title}: ${problem}`);
  const whole = bytes.filter((_, index) => all[index] === 0);
  if (new Set(whole).size > 1)
    bench.fail(`${title}: readers that lost nothing got ${whole.join(', ')} bytes`);
}

function figuresOf({ events, delays, lost_events: lost }) {
  return {
    events_heard: events,
    unheard_events: Math.max(...lost),
    readers_with_losses: lost.filter((count) => count > 0).length,
    ...(delays && { p50_ms: delays.p50_ms, p99_ms: delays.p99_ms }),
  };
}
