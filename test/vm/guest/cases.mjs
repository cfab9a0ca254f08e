/**
 * Runs cases of the lab on the running kernel from the built package, and prints one JSON object a line:
 *
 *     node test/vm/guest/cases.mjs [--main | CASE...]
 *
 * {start: the event} or {refused: {code, message}} first, then {case, outcome: 'ok' | 'not ok' | 'skipped', words}. `writer` is a
 * case, too, and so is each backend, `--backend NAME...`, and where the environment has LOADERS, a directory, the loads of each compiler there,
 * `verifier clang N`: these have `verified` besides. Needs root.
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
import { loads } from './loads.mjs';
import { MAIN_CASES } from './main-cases.mjs';

const PACKETS = 5;

/** Each sees refused sources in its way; with kfree_skb-2 nothing else tells what rp_filter refused, and alone it is the kernel's counter. */
const BACKENDS = [
  ['tracepoint'],
  ['kfree_skb-2'],
  ['fentry'],
  ['fexit'],
  ['kprobe'],
  ['fentry', 'kfree_skb-2'],
  ['fexit', 'kfree_skb-2'],
  ['kprobe', 'kfree_skb-2'],
  ['probe_read'],
  ['legacy'],
];
const COUNTER = 'counter/IPReversePathFilter';
const BACKEND_CASES = ['strict', 'local-source', 'arp-refused'];

/** What all cases are traced with, one after the other: opening a tracer takes an emulated machine seconds, a case hardly more than one. */
let shared;

const words = process.argv.slice(2);
const wanted = words[0] === '--main' ? MAIN_CASES : words;
const lab = await new Lab(`rpfvm${process.pid}`).up();
try {
  if (await tellStart()) await tellCases();
} finally {
  await lab.down();
}

/** The start event, or why there is none; then false. */
async function tellStart() {
  try {
    const { events } = await trace({}, async () => undefined);
    process.stdout.write(`${JSON.stringify({ start: events[0] })}\n`);
    return true;
  } catch ({ code, message }) {
    process.stdout.write(`${JSON.stringify({ refused: { code, message } })}\n`);
    return false;
  }
}

async function tellCases() {
  for (const labCase of CASES) await tell(labCase.name, () => runCase(labCase));
  await tellSum();
  await tell('writer', findWriter);
  for (const backend of BACKENDS) await tell(`--backend ${backend.join(' ')}`, () => runBackend(backend));
  for (const load of process.env.LOADERS ? loads(process.env.LOADERS) : []) tellLoad(load);
}

function tellLoad({ compiler, verified, words }) {
  const outcome = words.length === 0 ? 'ok' : 'not ok';
  tellResult(`verifier ${compiler}`, { outcome, words, verified });
}

function tellResult(name, result) {
  process.stdout.write(`${JSON.stringify({ case: name, ...result })}\n`);
}

async function tell(name, work) {
  if (wanted.length > 0 && !wanted.includes(name)) return;
  let result;
  try {
    result = await work();
  } catch (error) {
    result = { outcome: 'not ok', words: [String(error?.stack ?? error)] };
  }
  tellResult(name, result);
}

/** Each drop for itself, and main cases counted by flow too: two ways through the BPF programs. */
async function runCase(labCase) {
  const lack = await firstMissing(lab, labCase);
  if (lack !== undefined) return { outcome: 'skipped', words: [lack] };
  const words = [
    ...(MAIN_CASES.includes(labCase.name) ? await judgeFlows(labCase) : []),
    ...(await judgeInTurn(labCase)).map((difference) => `--every: ${difference}`),
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

/** A trace of all cases may still have the routes and rules of other cases. Whether that was all is found out with a trace of this case alone. */
async function judgeInTurn(labCase) {
  try {
    shared ??= await Witness.open(lab);
    await shared.drops(); // what came of trying out the requirements is not the case's
    if ((await judgeWith(shared, labCase)).length === 0) return [];
  } catch {
    await shared?.[Symbol.asyncDispose]();
    shared = undefined;
  }
  return await judgeEvery([labCase]);
}

/** Whether each drop of all cases is accounted for, and the kernel's counters agree. */
async function tellSum() {
  if (shared === undefined) return;
  const addsUp = await shared.stop();
  await shared[Symbol.asyncDispose]();
  const words = addsUp ? [] : ['the trace of all cases does not add up to the counters of the kernel'];
  tellResult('all in one trace', { outcome: addsUp ? 'ok' : 'not ok', words });
}

/** The verdicts of a backend that this kernel takes. One trace for all cases: none of them changes routes. */
async function runBackend(backend) {
  try {
    const words = await judgeEvery(
      CASES.filter(({ name }) => BACKEND_CASES.includes(name)),
      backend,
    );
    return { outcome: words.length === 0 ? 'ok' : 'not ok', words };
  } catch (error) {
    if (error.code === 'E_NO_BACKEND') return { outcome: 'skipped', words: [error.message] };
    throw error;
  }
}

/** The verdict is judged here: the drops are read while the lab is as it was when they happened. */
async function judgeEvery(labCases, backend = []) {
  const witness = await Witness.open(lab, backend);
  try {
    await witness.drops(); // it knows its hooks by its first event
    if (backend.join() === 'kfree_skb-2' && !witness.hooks.some(({ name }) => name === COUNTER))
      throw Object.assign(new Error(`without reasons, and ${COUNTER} is not there`), {
        code: 'E_NO_BACKEND',
      });
    const words = [];
    for (const labCase of labCases) {
      const differences = await judgeWith(witness, labCase);
      words.push(...differences.map((difference) => `${labCase.name}: ${difference}`));
    }
    const addsUp = await witness.stop();
    if (!addsUp && !backend.includes('tracepoint'))
      words.push('the trace does not add up to the counters of the kernel');
    return words;
  } finally {
    await witness[Symbol.asyncDispose]();
  }
}

async function judgeWith(witness, labCase) {
  let drops = [];
  const provoked = await provoke(lab, labCase, PACKETS, undefined, async () => {
    drops = await witness.drops();
  });
  return [...judge(labCase, PACKETS, provoked, drops, witness.hooks), ...judgeRefusals(labCase, drops)];
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
