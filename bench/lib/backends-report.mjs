/** Programs that do nothing, attached as a backend attaches its own for accepted packets. */
export const EMPTY_OF = {
  fentry: 'fexit/ip_route_input_noref',
  fexit: 'fexit/fib_validate_source',
  kprobe: 'kprobe/fib_validate_source,kretprobe/fib_validate_source',
};

/** Other ways to the same function, of newer kernels, and the return alone. */
export const OTHER_WAYS = [
  'kretprobe/fib_validate_source',
  'kprobe.multi/fib_validate_source,kretprobe.multi/fib_validate_source',
  'kprobe.session/fib_validate_source',
];

const YARDSTICK_PROGRAMS = 32; // one of them takes less time than the noise of a run
/** What the programs of the hooks go through, on a kernel that takes no other hook too. */
export const YARDSTICK = `${YARDSTICK_PROGRAMS}*tp_btf/kfree_skb`;

/**
 * The table of a kernel: `counted` are instructions, {release, untraced, costs}, `real` nanoseconds of this machine, as backend-costs.mjs has both.
 */
export function formatCosts({ release, untraced, costs }, real) {
  const names = Object.keys(costs).filter((name) => !name.includes('/'));
  const factors = calibrate({ untraced, costs }, real);
  const more = (traffic) => (name) => costs[name][traffic] - untraced[traffic];
  const row = (title, cell) => [
    title,
    ...names.map((name) => (costs[name].refused ? 'refused' : cell(name))),
  ];
  const times = (traffic) => [
    row('  ns here, by an empty program', (name) => (more(traffic)(name) * factors[BY_EMPTY]).toFixed(0)),
    row('  ns here, by all yardsticks', (name) => range(more(traffic)(name), factors)),
  ];
  const ratio = (traffic) => (name) => `x${(costs[name][traffic] / untraced[traffic]).toFixed(3)}`;
  const rows = [
    [`Linux ${release}, emulated`, ...names],
    row('instructions more per accepted packet', (name) => more('accepted')(name).toFixed(0)),
    row('  of them the way into programs that are empty', (name) => wayOf(name, costs, untraced)),
    row(`  against ${untraced.accepted.toFixed(0)} untraced`, ratio('accepted')),
    ...times('accepted'),
    row('instructions more per drop', (name) => more('dropped')(name).toFixed(0)),
    row(`  against ${untraced.dropped.toFixed(0)} untraced`, ratio('dropped')),
    ...times('dropped'),
    row('  instructions in its programs, the clock read twice', (name) => costs[name].program.toFixed(0)),
  ];
  return [
    aligned(rows),
    'instructions more per accepted packet with programs that are empty:',
    ...[...Object.values(EMPTY_OF), ...OTHER_WAYS].map((name) => `  ${name}: ${told(name, costs, untraced)}`),
    'ns per instruction:',
    ...Object.entries(factors).map(([by, ns]) => `  ${ns.toFixed(3)} by ${by}`),
    ...names.filter((name) => costs[name].refused).map((name) => `${name}: ${costs[name].refused}`),
  ].join('\n');
}

const BY_EMPTY = `an empty program at the tracepoint, one of ${YARDSTICK_PROGRAMS}`;

/** What the same work takes here in nanoseconds and there in instructions: each work has its own answer. */
function calibrate(counted, real) {
  const ofDrop = ({ untraced, costs }) => (costs[YARDSTICK].dropped - untraced.dropped) / YARDSTICK_PROGRAMS;
  return {
    [BY_EMPTY]: ofDrop(real) / ofDrop(counted),
    'the program at the tracepoint': real.costs.tracepoint.program / counted.costs.tracepoint.program,
    'accepted packets without a tracer': real.untraced.accepted / counted.untraced.accepted,
    'drops without a tracer': real.untraced.dropped / counted.untraced.dropped,
  };
}

function wayOf(name, costs, untraced) {
  return name in EMPTY_OF ? told(EMPTY_OF[name], costs, untraced) : '0';
}

function told(name, costs, untraced) {
  return costs[name].refused ? 'refused' : (costs[name].accepted - untraced.accepted).toFixed(0);
}

function range(instructions, factors) {
  const all = Object.values(factors).map((ns) => instructions * ns);
  return `${Math.min(...all).toFixed(0)} to ${Math.max(...all).toFixed(0)}`;
}

function aligned(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows
    .map(([title, ...cells]) =>
      [title.padEnd(widths[0]), ...cells.map((cell, at) => cell.padStart(widths[at + 1]))].join('  '),
    )
    .join('\n');
}
