import { setTimeout as sleep } from 'node:timers/promises';
import { measureLatency } from './latency.mjs';
import { median, round } from './statistics.mjs';
import { bpfRuns, cpuSeconds, withBpfStats } from './usage.mjs';

/**
 * What is measured of a tracer. `once` takes one sample, `rounds` says how many are taken, of all tracers in turns, and
 * `summarize` makes the result of them. `suits`: for which tracers; all without it.
 */
export const MEASURES = {
  start: {
    rounds: (options) => options.starts,
    once: async (bench, tracer) => await bench.withTrace(tracer, {}, async (trace) => trace.attachedMs),
    summarize: (samples) => ({
      attached_ms: round(median(samples), 1),
      samples_ms: samples.map((ms) => round(ms, 1)),
    }),
  },
  flood: { rounds: (options) => options.runs, once: floodRound, summarize: summarizeFlood },
  bpf: { rounds: () => 1, once: bpfTime, summarize: ([sample]) => sample },
  rates: { rounds: () => 1, once: fixedRates, summarize: ([samples]) => samples },
  latency: {
    rounds: (options) => Math.min(options.runs, 3),
    suits: (tracer) => tracer.isOurs && tracer.isStream,
    once: measureLatency,
    summarize: (samples) => ({
      p50_ms: median(samples.map((sample) => sample.p50_ms)),
      p99_ms: median(samples.map((sample) => sample.p99_ms)),
      samples,
    }),
  },
  idle: { rounds: () => 1, once: idleCost, summarize: ([sample]) => sample },
};

export const MEASURE_NAMES = Object.keys(MEASURES);

/**
 * A run with the tracer between two runs without, as close together as can be: a CPU's speed drifts by more than a tracer
 * costs. The ratio is that to the mean of the two.
 */
async function floodRound(bench, tracer) {
  const { drops } = bench.options;
  const untraced = [await bench.flood.send(drops)];
  const sample = await tracedRun(bench, tracer, drops, {
    afterwards: async () => untraced.push(await bench.flood.send(drops)),
  });
  const seconds = untraced.reduce((sum, run) => sum + run.seconds, 0) / untraced.length;
  const perSecond = untraced[0].sent / seconds;
  return {
    untraced_per_second: untraced.map((run) => round(run.perSecond)),
    ratio: round(sample.sender_per_second / perSecond, 4),
    cost_ns_per_drop: round(1e9 / sample.sender_per_second - 1e9 / perSecond),
    ...sample,
    others_percent: Math.max(sample.others_percent, ...untraced.map((run) => othersPercent(run, 0))),
  };
}

/** Of most things the median; of losses and memory the worst. */
function summarizeFlood(runs) {
  const all = (name) => runs.map((run) => run[name]);
  return {
    ratio: median(all('ratio')),
    cost_ns_per_drop: round(median(all('cost_ns_per_drop'))),
    untraced_per_second: round(median(all('untraced_per_second').flat())),
    sender_per_second: round(median(all('sender_per_second'))),
    ...(runs[0].events_per_second && { events_per_second: round(median(all('events_per_second'))) }),
    lost: Math.max(...all('lost')),
    untold: Math.max(...all('untold')),
    cpu_seconds: round(median(all('cpu_seconds')), 3),
    others_percent: round(median(all('others_percent'))),
    peak_rss_mb: Math.max(...all('peak_rss_mb')),
    runs,
  };
}

async function fixedRates(bench, tracer) {
  const samples = [];
  for (const rate of bench.options.rates) {
    const drops = Math.round(rate * bench.options.rateSeconds);
    samples.push({
      rate,
      ...(await tracedRun(bench, tracer, drops, { rate, leadSeconds: bench.options.rateLeadSeconds })),
    });
  }
  return samples;
}

/**
 * Drops at `rate`, or at full speed, with the tracer; what it made of them and what it used for that. `afterwards` is called
 * as soon as it has ended.
 */
async function tracedRun(
  bench,
  tracer,
  drops,
  { rate, leadSeconds = 0, afterwards = async () => undefined },
) {
  return await bench.withTrace(tracer, { cpu: bench.cpus.tracer }, async (trace) => {
    await sleep(leadSeconds * 1000, undefined, { signal: bench.signal });
    const cpuBefore = cpuSeconds(trace.pid);
    const sent = await bench.flood.send(drops, rate);
    const lastLineMs = await trace.settle(tracer.quietMs, bench.signal);
    const cpu = cpuSeconds(trace.pid) - cpuBefore;
    const peakRss = await trace.stop();
    await afterwards();
    const account = await tracer.account(trace, bench.facts);
    bench.check(tracer, sent, account);
    return {
      sender_per_second: round(sent.perSecond),
      drops: sent.dropped,
      counted: account.counted,
      lost: account.lost,
      untold: sent.dropped - account.counted - account.lost,
      ...(tracer.isStream && {
        events_per_second: round((1000 * account.events) / (lastLineMs - sent.startedMs)),
      }),
      cpu_seconds: round(cpu, 3),
      others_percent: othersPercent(sent, cpu),
      peak_rss_mb: round(peakRss / 1e6, 1),
    };
  });
}

/** CPU time that neither the sender nor the tracer used: of one CPU, while the sender ran. */
export function othersPercent({ seconds, othersSeconds }, tracerSeconds) {
  return round(Math.max(0, (100 * (othersSeconds - tracerSeconds)) / seconds));
}

/** In a run of its own: reading the clock before and after each run of a program slows the sender down. */
async function bpfTime(bench, tracer) {
  const drops = Math.min(bench.options.drops, BPF_DROPS);
  return await withBpfStats(() =>
    bench.withTrace(tracer, { cpu: bench.cpus.tracer }, async (trace) => {
      const before = bpfRuns(trace.pid);
      const { dropped } = await bench.flood.send(drops);
      const after = bpfRuns(trace.pid);
      return {
        ns_per_drop: round((after.ns - before.ns) / dropped, 1),
        runs: after.runs - before.runs,
        drops: dropped,
      };
    }),
  );
}

/** CPU time when nothing is dropped, from a second after the start on. */
async function idleCost(bench, tracer) {
  const { signal, options } = bench;
  return await bench.withTrace(tracer, { cpu: bench.cpus.tracer }, async (trace) => {
    await sleep(1000, undefined, { signal });
    const before = cpuSeconds(trace.pid);
    await sleep(options.idleSeconds * 1000, undefined, { signal });
    return { seconds: options.idleSeconds, cpu_seconds: round(cpuSeconds(trace.pid) - before, 4) };
  });
}

const BPF_DROPS = 300_000;
