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
 * What the same work takes in nanoseconds of this machine, `real`, and in instructions, `counted`: each work has its own answer. Both are what backend-costs.mjs
 * finds out. [{by, ns, instructions}], the first is the one that is most like a hook.
 */
export function yardsticks(counted, real) {
  const ofEmpty = ({ untraced, costs }) => (costs[YARDSTICK].dropped - untraced.dropped) / YARDSTICK_PROGRAMS;
  const works = {
    'an empty program behind a trampoline': ({ trampoline }) => trampoline,
    [`an empty program at the tracepoint, one of ${YARDSTICK_PROGRAMS}`]: ofEmpty,
    'the program at the tracepoint': ({ costs }) => costs.tracepoint.program,
    'accepted packets without a tracer': ({ untraced }) => untraced.accepted,
    'drops without a tracer': ({ untraced }) => untraced.dropped,
  };
  return Object.entries(works).map(([by, of]) => ({ by, ns: of(real), instructions: of(counted) }));
}

export function formatYardsticks(found, release) {
  const lines = found.map(
    ({ by, ns, instructions }) =>
      `  ${(ns / instructions).toFixed(3)} by ${by}: ${ns.toFixed(1)} ns here, ${instructions.toFixed(1)} instructions there`,
  );
  return [`ns per instruction, by what runs here and on ${release}:`, ...lines].join('\n');
}

/** The table of a kernel: instructions as backend-costs.mjs counts them, and what they take by the yardsticks. */
export function formatCosts({ release, untraced, costs }, found) {
  const names = Object.keys(costs).filter((name) => !name.includes('/'));
  const factors = found.map(({ ns, instructions }) => ns / instructions);
  const more = (traffic) => (name) => costs[name][traffic] - untraced[traffic];
  const row = (title, cell) => [
    title,
    ...names.map((name) => (costs[name].refused ? 'refused' : cell(name))),
  ];
  const times = (traffic) => [
    row('  ns here, by an empty program', (name) => whole(more(traffic)(name) * factors[0])),
    row('  ns here, by all yardsticks', (name) => range(more(traffic)(name), factors)),
  ];
  const ratio = (traffic) => (name) => `x${(costs[name][traffic] / untraced[traffic]).toFixed(3)}`;
  const rows = [
    [`Linux ${release}, emulated`, ...names],
    row('instructions more per accepted packet', (name) => whole(more('accepted')(name))),
    row('  of them the way into programs that are empty', (name) => wayOf(name, costs, untraced)),
    row(`  against ${untraced.accepted.toFixed(0)} untraced`, ratio('accepted')),
    ...times('accepted'),
    row('instructions more per drop', (name) => whole(more('dropped')(name))),
    row(`  against ${untraced.dropped.toFixed(0)} untraced`, ratio('dropped')),
    ...times('dropped'),
    row('  instructions in its programs, the clock read twice', (name) => whole(costs[name].program)),
  ];
  return [
    aligned(rows),
    'instructions more per accepted packet with programs that are empty:',
    ...[...Object.values(EMPTY_OF), ...OTHER_WAYS].map((name) => `  ${name}: ${told(name, costs, untraced)}`),
    ...names.filter((name) => costs[name].refused).map((name) => `${name}: ${costs[name].refused}`),
  ].join('\n');
}

function wayOf(name, costs, untraced) {
  return name in EMPTY_OF ? told(EMPTY_OF[name], costs, untraced) : '0';
}

function told(name, costs, untraced) {
  return costs[name].refused ? 'refused' : whole(costs[name].accepted - untraced.accepted);
}

function range(instructions, factors) {
  const all = factors.map((ns) => instructions * ns);
  return `${whole(Math.min(...all))} to ${whole(Math.max(...all))}`;
}

/** Not -0. */
function whole(number) {
  return String(Math.round(number) || 0);
}

function aligned(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows
    .map(([title, ...cells]) =>
      [title.padEnd(widths[0]), ...cells.map((cell, at) => cell.padStart(widths[at + 1]))].join('  '),
    )
    .join('\n');
}
