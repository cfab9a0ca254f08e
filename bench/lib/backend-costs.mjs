/**
 * What each backend costs the one who sends, on the running kernel:
 *
 *     node .../backend-costs.mjs PACKETS ROUNDS NAME...      in the folder of a built package
 *
 * Prints one JSON object: {untraced: {accepted, dropped}, costs: {name: {accepted, dropped, program} or {refused}}, trampoline}. The first two are the sender's
 * nanoseconds per packet; `program` is the run time of the BPF programs for each packet dropped; `trampoline` is what trampoline.c finds. A name is a backend, `default` too, which is what is attached if nobody asks;
 * or programs that do nothing, [TIMES*]KIND/FUNCTION[,KIND/FUNCTION] as empty_hooks.c has them, they have no `program`. Both are compiled in the folder BENCH_PROGRAMS.
 * All are the least of the rounds: whatever else runs on a CPU only adds to what it does. Needs root.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { withEmptyHooks } from './empty-hooks.mjs';
import { importLibrary } from './library.mjs';
import { takeAllInWorld } from './taking.mjs';
import { bpfRuns, withBpfStats } from './usage.mjs';

const QUIET_MS = 300;
const [packets, rounds] = process.argv.slice(2, 4).map(Number);
const names = process.argv.slice(4);
const { Lab, send, loadAddon, backendConfig, ADDRESS } = await importLibrary(process.cwd());
const addon = loadAddon();
const lab = await new Lab(`rpfcosts${process.pid}`).up();
try {
  await takeAllInWorld(lab);
  process.stdout.write(`${JSON.stringify(await measureAll())}\n`);
} finally {
  await lab.down();
}

async function measureAll() {
  const untraced = [];
  const traced = Object.fromEntries(names.map((name) => [name, []]));
  const refused = {};
  for (let round = 0; round <= rounds; round++) {
    const isCounted = round > 0; // the first warms up
    const plain = await timed();
    if (isCounted) untraced.push(plain);
    for (const name of names.filter((other) => !(other in refused))) {
      const sample = name.includes('/') ? await withEmptyHooks(name, timed) : await withTracer(name, measure);
      if (sample.refused) refused[name] = sample;
      else if (isCounted) traced[name].push(sample);
    }
  }
  const costs = names.map((name) => [name, refused[name] ?? least(traced[name])]);
  return { untraced: least(untraced), costs: Object.fromEntries(costs), trampoline: wayOfTrampoline() };
}

async function withTracer(name, work) {
  let tracer;
  try {
    tracer = new addon.Tracer(name === 'default' ? {} : backendConfig([name]));
  } catch ({ message }) {
    return { refused: message };
  }
  tracer.attach((_error, slot) => tracer.release(slot));
  try {
    return await work();
  } finally {
    await tracer.close();
  }
}

async function measure() {
  const costs = await timed();
  // The clock is read twice for each run, so the sender is not timed meanwhile.
  const program = await withBpfStats(async () => {
    const before = bpfRuns('self').ns;
    await flood(1);
    return (bpfRuns('self').ns - before) / packets;
  });
  return { ...costs, program };
}

async function timed() {
  return { accepted: await flood(0), dropped: await flood(1) };
}

/** Nanoseconds per packet. */
async function flood(rpFilter) {
  await lab.inside('node', `echo ${rpFilter} > /proc/sys/net/ipv4/conf/all/rp_filter`);
  await setTimeout(QUIET_MS); // what this process has yet to do would take the sender's time where there is one CPU
  const packet = { from: 'pod', kind: 'udp', src: ADDRESS.pod, dst: ADDRESS.world };
  const { sent, elapsedNs } = await send(lab, packet, { count: packets });
  return elapsedNs / sent;
}

/** Nanoseconds of one call. */
function wayOfTrampoline() {
  const program = join(process.env.BENCH_PROGRAMS, 'trampoline');
  const words = [`${program}.bpf.o`, packets, rounds].map(String);
  return Number(execFileSync(program, words, { encoding: 'utf8' }));
}

function least(samples) {
  const keys = Object.keys(samples[0]);
  return Object.fromEntries(keys.map((key) => [key, Math.min(...samples.map((sample) => sample[key]))]));
}
