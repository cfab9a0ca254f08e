/**
 * Runs cases of the lab on the running kernel from the built package, and prints one JSON object a line:
 *
 *     node test/vm/guest/cases.mjs [CASE...]
 *
 * {start: the event} first, then {case, outcome: 'ok' | 'not ok' | 'skipped', words}. Needs root.
 */
import { openTracer } from '../../../dist/index.js';
import { CASES } from '../../../dist/lab/cases.js';
import { judge, judgeRefusals } from '../../../dist/lab/judge.js';
import { Lab } from '../../../dist/lab/lab.js';
import { run } from '../../../dist/lab/process.js';
import { provoke } from '../../../dist/lab/provoke.js';
import { firstMissing } from '../../../dist/lab/run.js';
import { PLACES } from '../../../dist/lab/topology.js';
import { Witness } from '../../../dist/lab/witness.js';

const PACKETS = 5;

const wanted = process.argv.slice(2);
const lab = await new Lab(`rpfvm${process.pid}`).up();
try {
  await tellStart();
  for (const labCase of CASES) await tell(labCase.name, () => runCase(labCase));
  await tell('writer', findWriter);
} finally {
  await lab.down();
}

async function tell(name, work) {
  if (wanted.length > 0 && !wanted.includes(name)) return;
  let result;
  try {
    result = await work();
  } catch (error) {
    result = { outcome: 'not ok', words: [String(error?.stack ?? error)] };
  }
  process.stdout.write(`${JSON.stringify({ case: name, ...result })}\n`);
}

async function tellStart() {
  const { events } = await trace({}, async () => undefined);
  process.stdout.write(`${JSON.stringify({ start: events[0] })}\n`);
}

/** Counted by flow, and each drop for itself: two ways through the BPF programs. */
async function runCase(labCase) {
  const lack = await firstMissing(lab, labCase);
  if (lack !== undefined) return { outcome: 'skipped', words: [lack] };
  const words = [
    ...(await judgeFlows(labCase)),
    ...(await judgeEvery(labCase)).map((difference) => `--every: ${difference}`),
  ];
  return { outcome: words.length === 0 ? 'ok' : 'not ok', words };
}

async function judgeFlows(labCase) {
  const { result, events } = await trace({}, () => provoke(lab, labCase, PACKETS));
  const drops = events.flatMap((event) => {
    if (event.kind !== 'drop' || event.device.name_unknown === 'no_device') return [];
    const place = lab.placeOf(event.device.netns);
    return place ? [{ place, event }] : [];
  });
  const { conservation } = events.at(-1);
  return [
    ...judge(labCase, PACKETS, result, drops, events[0].hooks),
    ...(conservation.holds ? [] : [`drops are missing: ${conservation.difference}`]),
  ];
}

/** The verdict is judged here: the drops are read while the lab is as it was when they happened. */
async function judgeEvery(labCase) {
  const witness = await Witness.open(lab);
  try {
    let drops = [];
    const provoked = await provoke(lab, labCase, PACKETS, undefined, async () => {
      drops = await witness.drops();
    });
    const addsUp = await witness.stop();
    return [
      ...judge(labCase, PACKETS, provoked, drops, witness.hooks),
      ...judgeRefusals(labCase, drops),
      ...(addsUp ? [] : ['the trace does not add up to the counters of the kernel']),
    ];
  } finally {
    await witness[Symbol.asyncDispose]();
  }
}

/** A process of the node writes a setting: is it named? */
async function findWriter() {
  const { events } = await trace({}, () =>
    run('ip', ['netns', 'exec', lab.netns('node'), 'sysctl', '-qw', 'net.ipv4.conf.lxcabcd.rp_filter=2']),
  );
  await lab.inside('node', 'echo 0 > /proc/sys/net/ipv4/conf/lxcabcd/rp_filter');
  const change = events.find(({ kind, name }) => kind === 'sysctl_change' && /lxcabcd/.test(name));
  const isNamed =
    change?.writer?.comm === 'sysctl' && change.writer.cmdline?.some((word) => /lxcabcd/.test(word));
  return isNamed
    ? { outcome: 'ok', words: [] }
    : { outcome: 'not ok', words: [JSON.stringify(change ?? null)] };
}

/** All events of a trace of some work, and what the work returned. */
async function trace(options, work) {
  const tracer = await openTracer({ ...options, netns: PLACES.map((place) => lab.path(place)) });
  try {
    const result = await work();
    tracer.stop();
    const events = [];
    for await (const event of tracer) events.push(event);
    return { result, events };
  } finally {
    await tracer.close();
  }
}
