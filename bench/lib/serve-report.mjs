import { align, bound, headline, number, verdict } from './report.mjs';
import { round } from './statistics.mjs';
import { judgeTargets } from './targets.mjs';

/** What was promised of serve. */
const TARGETS = [
  ...['serve-0', 'serve-1', 'serve-20', 'disk', 'scraped'].flatMap((name) => [
    { case: name, at: 'flood.lost', atMost: 0 },
    { case: name, at: 'flood.untold', atMost: 0 },
  ]),
  { case: 'serve-20', at: 'flood.unheard_events', atMost: 0 },
  { case: 'serve-0', at: 'idle.cpu_percent', below: 0.5 },
  { case: 'serve-0', at: 'idle.rss_mb', below: 90 },
];

export function judgeServe(cases) {
  return judgeTargets(TARGETS, cases);
}

/** Columns of the table: a label, the place of the figure in a case's results, and digits behind the point. */
const COLUMNS = [
  ['CPU s', 'flood.cpu_seconds', 2],
  ['CPU %', 'flood.cpu_percent', 1],
  ['peak RSS, MB', 'flood.peak_rss_mb', 1],
  ['lost, told', 'flood.lost'],
  ['untold', 'flood.untold'],
  ['lost to a reader', 'flood.unheard_events'],
  ['sender, packets/s', 'flood.sender_per_second'],
  ['CPU of others, %', 'flood.others_percent'],
  ['p50, ms', 'latency.p50_ms', 2],
  ['p99, ms', 'latency.p99_ms', 2],
];

/** Tables for people. Has a trailing newline. */
export function formatServe(result, cases) {
  const header = ['', ...COLUMNS.map(([label]) => label), 'CPU against'];
  const rows = Object.entries(result.cases).map(([name, figures]) => [
    figures.title,
    ...COLUMNS.map(([, at, digits]) => cell(result, name, at, digits)),
    against(result.cases, name, cases),
  ]);
  const { rates, rateSeconds } = result.options;
  return [
    headline({ ...result, options: { ...result.options, drops: rates[0] * rateSeconds } }),
    `${number(rates[0])} drops/s for ${rateSeconds} s; latency: drop to line, --every at 10,000/s`,
    '',
    align([header, ...rows]).trimEnd(),
    '',
    ...readersText(result.cases),
    ...idleText(result),
    verdict(result.targets),
    '',
  ].join('\n');
}

function cell({ cases, targets }, name, at, digits) {
  const value = at.split('.').reduce((part, key) => part?.[key], cases[name]);
  if (value === undefined) return '';
  const target = targets.find((candidate) => candidate.case === name && candidate.at === at);
  return target ? `${number(value, digits)} ${word(target)}` : number(value, digits);
}

function word(target) {
  return `${bound(target)} ${target.met ? 'met' : 'MISSED'}`;
}

/** CPU time as a ratio to that of the case that it is like. */
function against(results, name, cases) {
  const { like } = cases[name] ?? {};
  const [ours, theirs] = [results[name], results[like]].map((result) => result?.flood?.cpu_seconds);
  return ours && theirs ? `${round(ours / theirs, 2)} x ${results[like].title}` : '';
}

/** What one more reader costs: a twentieth of what twenty cost. */
function readersText(cases) {
  return [
    ['serve', 'serve-0', 'serve-20'],
    ['serve --every', 'every-0', 'every-20'],
  ].flatMap(([title, none, twenty]) => {
    const [without, withAll] = [cases[none]?.flood, cases[twenty]?.flood];
    if (!without || !withAll) return [];
    const each = (name, digits) => round((withAll[name] - without[name]) / 20, digits);
    return [`a reader of ${title}: ${each('cpu_seconds', 4)} CPU s, ${each('peak_rss_mb', 2)} MB`];
  });
}

function idleText({ cases, targets }) {
  return Object.entries(cases).flatMap(([name, { title, idle }]) => {
    if (!idle) return [];
    const verdictOf = (at) => {
      const target = targets.find((candidate) => candidate.case === name && candidate.at === at);
      return target ? ` ${word(target)}` : '';
    };
    const cpu = `${idle.cpu_percent} % of a core${verdictOf('idle.cpu_percent')}`;
    const rss = `${idle.rss_mb} MB${verdictOf('idle.rss_mb')}`;
    return [`idle for ${idle.seconds} s: ${title}: ${cpu}, ${rss}, at most ${idle.peak_rss_mb} MB`];
  });
}
