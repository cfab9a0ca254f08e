import { align, number } from './report.mjs';

/** Tables for people. Has a trailing newline. */
export function formatScale({ machine, load, options, live, past }) {
  const { cpu, cores, kernel, node, commit } = machine;
  return [
    `${cpu}, ${cores} cores, Linux ${kernel}, Node ${node}, ${commit.slice(0, 9)}`,
    `${number(options.agents)} agents in two processes of the same machine, one reader; load ${load.before} to ${load.after}`,
    '',
    ...liveText(live, options),
    '',
    ...pastText(past, options),
    '',
  ].join('\n');
}

function liveText({ phases, told, check, stderr }, { seconds, silent }) {
  const head = ['each agent', 'events/s', 'MB/s', 'CPU', 'peak RSS, MB', 'behind, ms: median / p99'];
  const rows = phases.map(({ name, events_per_second, megabytes_per_second, cpu_percent, ...phase }) => [
    name,
    number(events_per_second),
    String(megabytes_per_second),
    `${cpu_percent} %`,
    String(phase.peak_rss_mb),
    phase.lag_ms ? `${number(phase.lag_ms.median)} / ${number(phase.lag_ms.p99)}` : '',
  ]);
  return [
    `live: ${seconds} s each; ${silent} agents are away for the middle third of each with events`,
    align([head, ...rows]).trimEnd(),
    checkText(told, check),
    ...said(stderr),
  ];
}

function pastText(
  { seconds, cpu_seconds, peak_rss_mb, megabytes, told, check, stderr },
  { past, pastSeconds },
) {
  return [
    `past: --since over ${number(pastSeconds)} s, of which each agent tells ${number(past)} events: ${number(megabytes)} MB`,
    `caught up after ${seconds} s from its start on, ${number(megabytes / seconds, 1)} MB/s, ${number(told / seconds)} events/s; CPU ${cpu_seconds} s, peak RSS ${peak_rss_mb} MB`,
    checkText(told, check),
    ...said(stderr),
  ];
}

function checkText(told, { events, gaps, doubles, disordered, late }) {
  return `told ${number(told)}, read ${number(events)}: ${gaps} missing, ${doubles} double, ${disordered} out of order, ${late} late of those who were away`;
}

/** What the reader says at the end of its many. */
function said(stderr) {
  const lines = stderr.trimEnd().split('\n');
  return lines.slice(lines.findLastIndex((line) => /^rpftrace: .* events of /.test(line)));
}
