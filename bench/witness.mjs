/**
 * Measures what watching the kernel's route lookups costs:  npm run bench:witness -- [--packets N] [--rounds N]
 *
 * The same packets go through the lab's node without a tracer, with the tracer attached, and with it attached and watching route
 * lookups (tracepoint fib_table_lookup): forwarded, and dropped by rp_filter. The node has policy rules as Cilium's have, so a
 * packet makes four or five lookups. Prints a table and writes it to bench/results/<date>-<kernel>-witness.txt.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { isRoot, main, root, Stop } from '../scripts/lib/command.mjs';
import { importLibrary } from './lib/library.mjs';
import { busySeconds, describeMachine, loadAverage } from './lib/machine.mjs';
import { median } from './lib/statistics.mjs';
import { takeAllInWorld } from './lib/taking.mjs';

const VARIANTS = ['no tracer', 'attached', 'watching'];
const TRAFFIC = { forwarded: 0, dropped: 1 };

await main(async () => {
  if (!isRoot()) throw new Stop('the bench needs root: it creates network namespaces and loads BPF programs');
  const { packets, rounds } = readNumbers();
  const { Lab, send, loadAddon, ADDRESS } = await importLibrary(root);
  const lab = new Lab(`bench-witness-${process.pid}`);
  try {
    await lab.up();
    await takeAllInWorld(lab);
    const packet = { from: 'pod', kind: 'udp', src: ADDRESS.pod, dst: ADDRESS.world };
    const once = (variant) =>
      withTracer(loadAddon(), variant, () => timed(() => send(lab, packet, { count: packets })));
    const figures = {};
    for (const [traffic, rpFilter] of Object.entries(TRAFFIC)) {
      await lab.inside('node', `echo ${rpFilter} > /proc/sys/net/ipv4/conf/all/rp_filter`);
      figures[traffic] = await inTurns(once, rounds);
    }
    const report = format(figures, packets, rounds);
    process.stdout.write(`\n${report}`);
    write(report);
  } finally {
    await lab.down();
  }
});

/** Nanoseconds per packet and CPU time of others, of each variant: medians. */
async function inTurns(once, rounds) {
  const samples = Object.fromEntries(VARIANTS.map((variant) => [variant, []]));
  for (let round = 0; round <= rounds; round++) {
    // In turns, and in the other order each time: who comes after whom makes a difference of its own.
    for (const variant of round % 2 ? VARIANTS : VARIANTS.toReversed()) {
      const sample = await once(variant);
      if (round > 0) samples[variant].push(sample); // the first warms up
    }
  }
  return Object.fromEntries(VARIANTS.map((variant) => [variant, summary(samples[variant])]));
}

function summary(samples) {
  return {
    ns: median(samples.map(({ ns }) => ns)),
    least: Math.min(...samples.map(({ ns }) => ns)),
    most: Math.max(...samples.map(({ ns }) => ns)),
    seen: Math.max(...samples.map(({ seen = 0 }) => seen)),
    others: median(samples.map(({ others }) => others)),
  };
}

async function timed(work) {
  const busy = busySeconds();
  const { sent, elapsedNs } = await work();
  return { ns: elapsedNs / sent, others: (100 * (busy() - elapsedNs / 1e9)) / (elapsedNs / 1e9) };
}

async function withTracer(addon, variant, work) {
  if (variant === 'no tracer') return await work();
  const tracer = new addon.Tracer({});
  tracer.attach((_error, slot) => tracer.release(slot));
  try {
    if (variant === 'watching') tracer.witness(true);
    return { ...(await work()), seen: Number(tracer.stats().seen) };
  } finally {
    await tracer.close();
  }
}

function format(figures, packets, rounds) {
  const { cpu, cores, kernel, node, commit } = describeMachine(tmpdir());
  const lines = Object.entries(figures).map(([traffic, variants]) =>
    [traffic.padEnd(10), ...VARIANTS.map((variant) => cell(variants, variant).padStart(46))].join(''),
  );
  return [
    `${cpu}, ${cores} cores, Linux ${kernel}, Node ${node}, ${commit.slice(0, 9)}`,
    `${packets} packets a run, median of ${rounds} rounds; load ${loadAverage()}; ns per packet (least to most, against no tracer; CPU of others; drops seen)`,
    '',
    ['traffic'.padEnd(10), ...VARIANTS.map((variant) => variant.padStart(46))].join(''),
    ...lines,
    '',
  ].join('\n');
}

function cell(variants, variant) {
  const { ns, least, most, others, seen } = variants[variant];
  const ratio = (ns / variants['no tracer'].ns).toFixed(3);
  return `${ns.toFixed(0)} (${least.toFixed(0)} to ${most.toFixed(0)}, x${ratio}; ${others.toFixed(0)} %; ${seen})`;
}

function write(report) {
  const folder = join(root, 'bench', 'results');
  mkdirSync(folder, { recursive: true });
  const file = `${new Date().toISOString().slice(0, 10)}-${describeMachine(tmpdir()).kernel}-witness.txt`;
  writeFileSync(join(folder, file), report);
}

function readNumbers() {
  const text = { type: 'string' };
  const { packets = '500000', rounds = '5' } = parseArgs({ options: { packets: text, rounds: text } }).values;
  for (const word of [packets, rounds])
    if (!/^[1-9]\d{0,8}$/.test(word)) throw new Stop(`'${word}' is not a whole number from 1 on`, 2);
  return { packets: Number(packets), rounds: Number(rounds) };
}
