/**
 * What each backend costs, on the running kernel from the built package:
 *
 *     node test/vm/guest/measure-backends.mjs [PACKETS]
 *
 * Prints one JSON object a line: {backend, dropNs, checkNs, checks}: BPF run time per drop, and per source that was accepted, by
 * kernel.bpf_stats_enabled; `refused` where the kernel does not take the backend. Needs root.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { loadAddon } from '../../../dist/addon.js';
import { backendConfig } from '../../../dist/backends.js';
import { Lab } from '../../../dist/lab/lab.js';
import { send } from '../../../dist/lab/sender.js';
import { ADDRESS } from '../../../dist/lab/topology.js';

const BACKENDS = ['tracepoint', 'fentry', 'fexit', 'kprobe'];
const packets = Number(process.argv[2] ?? 20_000);
const packet = { from: 'pod', kind: 'udp', src: ADDRESS.pod, dst: ADDRESS.world };

const addon = loadAddon();
writeFileSync('/proc/sys/kernel/bpf_stats_enabled', '1');
const lab = await new Lab(`rpfbench${process.pid}`).up();
try {
  await measure('tracepoint'); // warms up
  for (const backend of BACKENDS) process.stdout.write(`${JSON.stringify(await measure(backend))}\n`);
} finally {
  await lab.down();
}

async function measure(backend) {
  let tracer;
  try {
    tracer = new addon.Tracer(backendConfig([backend]));
  } catch ({ message }) {
    return { backend, refused: message };
  }
  tracer.attach((_error, slot) => tracer.release(slot));
  try {
    const accepted = await runTimes(tracer, 0);
    const dropped = await runTimes(tracer, 1);
    const checks = [...accepted.values()].filter(({ runs }) => runs >= packets);
    return {
      backend,
      dropNs: sum(dropped, 'ns') / packets,
      checkNs: checks.reduce((total, { ns, runs }) => total + ns / runs, 0),
      checks: checks.length,
    };
  } finally {
    await tracer.close();
  }
}

/** What the programs ran for while the packets were sent, without that at kfree_skb where they were accepted. */
async function runTimes(tracer, rpFilter) {
  await lab.inside('node', `echo ${rpFilter} > /proc/sys/net/ipv4/conf/all/rp_filter`);
  const before = readPrograms();
  const { runCount } = tracer.stats();
  await send(lab, packet, { count: packets });
  const atDrops = Number(tracer.stats().runCount - runCount);
  const rises = new Map();
  for (const [id, { ns, runs }] of readPrograms()) {
    const rise = { ns: ns - (before.get(id)?.ns ?? 0), runs: runs - (before.get(id)?.runs ?? 0) };
    if (rpFilter === 1 || rise.runs !== atDrops) rises.set(id, rise);
  }
  return rises;
}

/** Of the programs that this process holds, by their ids. */
function readPrograms() {
  const texts = readdirSync('/proc/self/fdinfo').flatMap((fd) => readOr(`/proc/self/fdinfo/${fd}`));
  const programs = texts.filter((text) => text.includes('run_time_ns:'));
  return new Map(
    programs.map((text) => [
      field(text, 'prog_id'),
      { ns: field(text, 'run_time_ns'), runs: field(text, 'run_cnt') },
    ]),
  );
}

function readOr(file) {
  try {
    return [readFileSync(file, 'utf8')];
  } catch {
    return []; // the one that the folder itself was read by
  }
}

function field(text, name) {
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1]);
}

function sum(rises, name) {
  return [...rises.values()].reduce((total, rise) => total + rise[name], 0);
}
