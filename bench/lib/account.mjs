import { open } from 'node:fs/promises';
import { readOutput } from './trace.mjs';

const REASON = 'IP_RPFILTER';

/**
 * What rpftrace wrote of the drops of a flood. Every line is parsed. `events`: lines about them; `counted`: their sum;
 * `lost`: drops that it says it lost.
 */
export async function accountOfLines(trace, { netns }) {
  const file = await open(trace.output);
  return await accountOf(file.readLines(), netns);
}

/** The same of lines from anywhere. `unheard`: events that a reader was told it did not get, and their drops. */
export async function accountOf(lines, netns) {
  const account = { events: 0, counted: 0, lost: 0, unheard: { events: 0, drops: 0 }, problems: [] };
  let stop;
  for await (const line of lines) {
    const event = JSON.parse(line);
    if (event.kind === 'stop') stop = event;
    else addEvent(account, event, netns);
  }
  account.problems = checkStop(stop, netns);
  return account;
}

/** What rpftrace itself says at its end, whatever it wrote; of a trace that sees the drops of the flood only. */
export async function accountOfWords({ words }) {
  const [, counted, lost] = HEADLINE.exec(words) ?? [];
  if (counted === undefined) return { events: 0, counted: 0, lost: 0, problems: ['it has no summary'] };
  return { events: 0, counted: ungrouped(counted), lost: ungrouped(lost), problems: [] };
}

/** bpftrace printing: reason, symbol, device, addresses. */
export async function accountOfPrints(trace, { reason, device }) {
  const account = { events: 0, counted: 0, lost: 0, problems: [] };
  const file = await open(trace.output);
  for await (const line of file.readLines()) {
    const [first, , third] = line.split(' ');
    const [, lost] = LOST.exec(line) ?? [];
    if (lost !== undefined) account.lost += Number(lost);
    else if (first === String(reason) && third === device) account.events++;
  }
  return { ...account, counted: account.events };
}

/** bpftrace counting: what it prints at its end is one line for each symbol and reason. */
export async function accountOfMap(trace, { reason }) {
  const counted = [...readOutput(trace).matchAll(MAP_ENTRY)]
    .filter(([, key]) => key === String(reason) || key.endsWith(REASON))
    .reduce((sum, [, , count]) => sum + Number(count), 0);
  return { events: 0, counted, lost: 0, problems: [] };
}

/** "Lost 12 events". */
const LOST = /^Lost (\d+) events/;
/** "@[ip_rcv_finish_core, 16]: 1000"; newer ones print the reason's name. */
const MAP_ENTRY = /^@\[.*, (\w+)\]: (\d+)$/gm;

/** "rpftrace: 300,000 drops of 300,012 that the kernel made in 4.1 s (73,000/s), 0 lost" */
const HEADLINE = /^rpftrace: ([\d,]+) drops.* ([\d,]+) lost$/m;

function ungrouped(text) {
  return Number(text.replaceAll(',', ''));
}

function addEvent(account, event, netns) {
  if (event.where === 'reader') addUnheard(account.unheard, event);
  else if (event.kind === 'lost' && (event.where === 'recursion' || isOurs(event.reason, event.netns, netns)))
    account.lost += event.count;
  if (event.kind !== 'drop' || !isOurs(event.reason, event.device.netns, netns)) return;
  account.events++;
  account.counted += event.count;
}

function addUnheard(unheard, { count, drops }) {
  unheard.events += count;
  unheard.drops += drops;
}

function isOurs(reason, where, netns) {
  return reason === REASON && where === netns;
}

function checkStop(stop, netns) {
  if (!stop) return ['the stream has no stop record'];
  const entry = stop.netns.find((candidate) => candidate.netns === netns);
  const problems = [];
  if (!stop.conservation.holds)
    problems.push(`stop: ${stop.conservation.difference} drops went missing in the tracer`);
  if (stop.totals.malformed > 0) problems.push(`stop: ${stop.totals.malformed} malformed records`);
  if (!entry?.reconciled) problems.push(`stop: not reconciled with the kernel: ${entry?.why ?? 'no entry'}`);
  return problems;
}
