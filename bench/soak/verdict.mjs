/** What was wrong, in words; none when all is as it must be. */
export function judgeSoak(result, readers, stderr) {
  return [
    ...readers.ledgers.flatMap(({ problems }) => problems),
    ...judgeCounts(result, readers),
    ...judgeLosses(readers),
    ...judgeIncidents(result, readers),
    ...judgeHoldings(result),
    ...judgeMemory(result),
    ...judgeHistory(result),
    ...judgeEnd(result, readers, stderr),
  ];
}

/** Whoever was told everything was told of each packet that was sent while sources were refused. */
function judgeCounts({ drops }, { keepers, hoppers }) {
  const problems = [];
  if (drops.sent !== drops.kernel)
    problems.push(`${drops.sent} packets were sent, and the kernel refused ${drops.kernel}`);
  for (const { refused } of [...keepers, ...hoppers])
    if (refused !== drops.kernel) problems.push(`a reader was told of ${refused} of ${drops.kernel} drops`);
  return problems;
}

function judgeLosses({ keepers, hoppers, stallers, sleepers }) {
  const problems = [];
  for (const { lost } of [...keepers, ...hoppers])
    if (lost.events > 0) problems.push(`a reader that kept up lost ${lost.events} events`);
  for (const { lost } of [...stallers, ...sleepers])
    if (lost.events === 0) problems.push('a reader that did not keep up lost nothing: it soaked too little');
  const all = keepers[0].drops + keepers[0].lost.drops;
  for (const { drops, lost } of stallers)
    if (drops + lost.drops !== all)
      problems.push(`a staller was told of ${drops} drops and ${lost.drops} lost, of ${all}`);
  return problems;
}

function judgeIncidents({ flips }, { keepers: [{ opened, closed }] }) {
  const open = [...opened].filter((id) => !closed.has(id));
  const problems = open.map((id) => `incident ${id} was never closed`);
  if (opened.size < flips / 2) problems.push(`${flips} flips, but ${opened.size} incidents`);
  return problems;
}

/** Programs, maps and links are the very ones that it began with. */
function judgeHoldings({ holdings: { before, after } }) {
  const problems = after.exceeding.map((what) => `file descriptors: ${what}`);
  if (after.threads > before.threads) problems.push(`${before.threads} threads became ${after.threads}`);
  if (after.bpf.join() !== before.bpf.join())
    problems.push(`BPF: ${before.bpf.join(', ')} became ${after.bpf.join(', ')}`);
  return problems;
}

function judgeMemory({ seconds, memory: { growth, over_s: overSeconds } }) {
  const most = seconds >= 300 ? MOST_GROWTH_MB : MOST_GROWTH_SHORT_MB;
  return growth > most ? [`memory grew by ${growth} MB in the last ${overSeconds} s`] : [];
}

function judgeHistory({ history: { disk_most: most, disk_max_bytes: max, disk_lost: lost, next, oldest } }) {
  const problems = [];
  if (most > max) problems.push(`the history took ${most} bytes on disk, more than ${max}`);
  if (lost > 0) problems.push(`the history on disk lost ${lost} events`);
  if (oldest === 1)
    problems.push(`the history never forgot anything in ${next} events: it soaked too little`);
  return problems;
}

function judgeEnd({ exit_code: exitCode }, { ledgers, keepers }, stderr) {
  const problems = ledgers.filter(({ stop }) => !stop).map(() => 'a reader did not get the stop event');
  const { stop } = keepers[0];
  if (exitCode !== 0) problems.push(`serve ended with ${exitCode}: ${stderr.slice(-500)}`);
  if (stop && !stop.conservation.holds) problems.push(`stop: ${JSON.stringify(stop.conservation)}`);
  if (stop && stop.totals.malformed > 0) problems.push(`stop: ${stop.totals.malformed} malformed records`);
  if (/Warning|FATAL/.test(stderr)) problems.push(`serve said: ${/^.*(Warning|FATAL).*$/m.exec(stderr)[0]}`);
  return problems;
}

/** In the last third of ten minutes, 8 h of a day: what the heap does by itself from one collection to the next. */
const MOST_GROWTH_MB = 6;
/** While what is remembered has not come to its bounds yet: 2000 series of pods, 512 incidents. */
const MOST_GROWTH_SHORT_MB = 12;
