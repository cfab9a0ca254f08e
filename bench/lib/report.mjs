import { figure } from './targets.mjs';

/** Rows of the table: a label, the place of the figure in a case's results, and digits behind the point. */
const ROWS = [
  ['sender, packets/s', 'flood.sender_per_second'],
  ['sender against untraced', 'flood.ratio', 3],
  ['  ns more per drop', 'flood.cost_ns_per_drop'],
  ['BPF ns per drop', 'bpf.ns_per_drop'],
  ['events/s to a file', 'flood.events_per_second'],
  ['lost, told', 'flood.lost'],
  ['lost, untold', 'flood.untold'],
  ['CPU s of the tracer', 'flood.cpu_seconds', 2],
  ['CPU of others, %', 'flood.others_percent'],
  ['peak RSS, MB', 'peak_rss_mb'],
  ['start to attached, ms', 'start.attached_ms'],
  ['drop to line p50, ms', 'latency.p50_ms', 2],
  ['drop to line p99, ms', 'latency.p99_ms', 2],
  ['CPU s when idle', 'idle.cpu_seconds', 3],
];
const RATE_ROWS = [
  ['lost, told and untold', (run) => run.lost + run.untold],
  ['CPU s', (run) => run.cpu_seconds, 2],
];

/** Tables for people. Has a trailing newline. */
export function formatReport(result) {
  const columns = Object.entries(result.cases);
  const header = ['', ...columns.map(([, { title }]) => title)];
  const rows = ROWS.map((row) => [row[0], ...columns.map((column) => cell(column, row, result.targets))]);
  const table = [header, ...rows.filter(hasFigures), ...rateRows(result, columns)];
  return `${headline(result)}\n\n${align(table)}\n${verdict(result.targets)}\n`;
}

/** Where it was measured, and how quiet it was there. */
export function headline({ machine, load, options, repeated }) {
  const { cpu, cores, kernel, node, bpftrace, commit } = machine;
  const disturbed = `${repeated} disturbed rounds repeated`;
  return [
    `${cpu}, ${cores} cores, Linux ${kernel}, Node ${node}, bpftrace ${bpftrace ?? 'not installed'}, ${commit.slice(0, 9)}`,
    `${number(options.drops)} drops a run, median of ${options.runs} rounds; ${disturbed}; load ${load.before} to ${load.after}, steal ${load.steal_percent} %`,
  ].join('\n');
}

function cell([name, result], [, at, digits], targets) {
  const value = figure(result, at);
  if (value === undefined) return '';
  const target = targets.find((candidate) => candidate.case === name && candidate.at === at);
  return target
    ? `${number(value, digits)} ${bound(target)} ${target.met ? 'met' : 'MISSED'}`
    : number(value, digits);
}

function rateRows({ options }, columns) {
  return options.rates.flatMap((rate, index) =>
    RATE_ROWS.map(([label, value, digits]) => {
      const runs = columns.map(([, { rates }]) => rates?.[index]);
      return [`${number(rate)}/s: ${label}`, ...runs.map((run) => (run ? number(value(run), digits) : ''))];
    }).filter(hasFigures),
  );
}

function hasFigures([, ...cells]) {
  return cells.some((text) => text !== '');
}

/** What is promised. */
export function bound({ atLeast, atMost, below }) {
  if (atLeast !== undefined) return `(≥ ${number(atLeast, 2)})`;
  return below === undefined ? `(≤ ${number(atMost)})` : `(< ${number(below, 1)})`;
}

export function verdict(targets) {
  const missed = targets.filter(({ met }) => !met).length;
  return missed === 0 ? `all ${targets.length} targets met` : `${missed} of ${targets.length} targets missed`;
}

/** Columns below one another; all but the first are figures. */
export function align(table) {
  const widths = table[0].map((_, column) => Math.max(...table.map((row) => row[column].length)));
  const line = (row) =>
    row.map((text, column) => (column ? text.padStart(widths[column]) : text.padEnd(widths[0])));
  return `${table.map((row) => line(row).join('  ').trimEnd()).join('\n')}\n`;
}

/** For people. */
export function number(value, digits = 0) {
  const isWhole = Number.isInteger(value) && Math.abs(value) >= 100;
  return value.toLocaleString('en-US', { maximumFractionDigits: isWhole ? 0 : Math.max(digits, 0) });
}
