import { printable } from '../printable.js';
import type { Feature, LaterReport, PassageReport, PodReport, Report } from './report.js';

export interface TextOptions {
  readonly color: boolean;
  /** Every pod and every feature, not only those that are in trouble. */
  readonly all: boolean;
}

/** The report for people: what is wrong first, then what will be, then what this machine can do. */
export function formatReport(report: Report, options: TextOptions): string {
  const paint = painter(options.color);
  const blocks = [
    [headline(report, paint)],
    droppedBlock(report, paint),
    laterBlock(report, paint),
    unknownBlock(report, paint),
    options.all ? fineBlock(report, paint) : [],
    sourcesBlock(report, options.all, paint),
    machineBlock(report, options.all, paint),
  ];
  return blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => `${lines.join('\n')}\n`)
    .join('\n');
}

type Style = 'bad' | 'warning' | 'good' | 'title' | 'dim';
type Paint = (text: string, style: Style) => string;

const CODES: Readonly<Record<Style, string>> = {
  bad: '1;31',
  warning: '33',
  good: '32',
  title: '1',
  dim: '2',
};

function painter(color: boolean): Paint {
  return (text, style) => (color ? `\x1b[${CODES[style]}m${text}\x1b[0m` : text);
}

function headline(
  { pods_found, pods_dropped, pods_unknown, tracer, node, kernel }: Report,
  paint: Paint,
): string {
  const where = `${printable(node)}, Linux ${printable(kernel)}`;
  const words = podsInWords(pods_found, pods_dropped, pods_unknown);
  const verdict = tracer.can_run ? words : `${words}; the tracer cannot run here`;
  const style = pods_dropped > 0 ? 'bad' : tracer.can_run ? 'good' : 'warning';
  return `${where}: ${paint(verdict, style)}`;
}

function podsInWords(found: number, dropped: number, unknown: number): string {
  if (found === 0) return 'no pod device was found';
  if (dropped > 0) return `packets of ${dropped} of ${plural(found, 'pod')} would be dropped now`;
  if (unknown === found) return `nothing can be said of ${plural(found, 'pod')}`;
  const rest = unknown > 0 ? `, nothing can be said of ${unknown}` : '';
  return `no packet of ${plural(found - unknown, 'pod')} would be dropped now${rest}`;
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}

/** Pods that share cause and remedy are told together. */
function droppedBlock({ pods, pods_dropped }: Report, paint: Paint): string[] {
  const dropped = pods.filter(({ would_drop }) => would_drop);
  if (dropped.length === 0) return [];
  const groups = groupBy(dropped, (pod) => groupKey(pod));
  const rows = groups.flatMap((group) => [
    ...podRows(group.slice(0, MAX_ROWS), paint),
    ...(group.length > MAX_ROWS ? [`  and ${group.length - MAX_ROWS} more for the same reason`] : []),
    ...remedyLines(group, paint),
  ]);
  const cut = pods_dropped > dropped.length ? [`  and ${pods_dropped - dropped.length} more pods`] : [];
  return [paint('WOULD BE DROPPED NOW', 'title'), ...rows, ...cut];
}

function groupKey(pod: PodReport): string {
  const ways = refused(pod).map(({ to, outcome, fix }) => `${to} ${outcome} ${fix?.[0] ?? ''}`);
  return JSON.stringify([pod.netns, pod.mode, ways]);
}

function podRows(pods: readonly PodReport[], paint: Paint): string[] {
  const cells = pods.map((pod) => [deviceText(pod), pod.ip ?? '-', nameText(pod), waysText(pod)]);
  return align(cells.map((row) => row.map(printable))).map((row) => `  ${paint(row, 'bad')}`);
}

function deviceText({ device, role, bridge }: PodReport): string {
  const behind = bridge === undefined ? '' : ` on ${bridge}`;
  return `${device}${behind}${role === device ? '' : ` (${role})`}`;
}

function nameText({ namespace, name }: PodReport): string {
  if (name === undefined) return '';
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/** "to outside, node: unnumbered_mismatch" */
function waysText(pod: PodReport): string {
  return groupBy(refused(pod), ({ outcome = '' }) => outcome)
    .map((group) => `to ${group.map(({ to }) => to).join(', ')}: ${group[0]?.outcome}`)
    .join('; ');
}

function refused({ passages }: PodReport): PassageReport[] {
  return passages.filter(({ outcome }) => outcome !== undefined && outcome !== 'accepted');
}

/** Of each kind of refusal once: the ways of one pod mostly end by the same rule. Of commands those that help all of them. */
function remedyLines(group: readonly PodReport[], paint: Paint): string[] {
  const [first] = group;
  if (first === undefined) return [];
  const kinds = groupBy(refused(first), ({ explanation, fix }) => JSON.stringify([explanation, fix]));
  return kinds.flatMap(([passage]) =>
    passage ? passageLines({ ...passage, fix: commonFix(passage, group) }, paint) : [],
  );
}

function commonFix({ to, fix }: PassageReport, group: readonly PodReport[]): string[] | undefined {
  const all = group.map((pod) => new Set(pod.passages.find((passage) => passage.to === to)?.fix));
  return fix?.filter((command) => all.every((commands) => commands.has(command)));
}

function passageLines(
  { explanation, fix, fix_unknown, fix_where, persisted, persisted_unknown }: PassageReport,
  paint: Paint,
): string[] {
  return [
    ...labelled('why', explanation),
    ...(fix ?? []).flatMap((command, index) =>
      labelled(index === 0 ? 'fix' : 'or', command, (text) => paint(text, 'good')),
    ),
    ...labelled('fix', fix_unknown),
    ...labelled('run it', fix_where),
    ...(persisted ?? []).flatMap(({ file, line, key, value }) =>
      labelled('undone by', `${file}:${line} (${key} = ${value})`, (text) => paint(text, 'warning')),
    ),
    ...labelled('unread', persisted_unknown),
  ];
}

function labelled(
  label: string,
  text: string | undefined,
  paint: (text: string) => string = (same) => same,
): string[] {
  return text === undefined ? [] : [`    ${label.padEnd(LABEL)}  ${paint(printable(text))}`];
}

function laterBlock({ later, later_unknown }: Report, paint: Paint): string[] {
  if (later.length === 0 && later_unknown === undefined) return [];
  return [
    paint('WOULD BE DROPPED LATER', 'title'),
    ...later.flatMap((one) => laterLines(one, paint)),
    ...labelled('unread', later_unknown).map((line) => line.slice(2)),
  ];
}

function laterLines(
  { explanation, devices, devices_count, fix, fix_unknown, fix_where }: LaterReport,
  paint: Paint,
): string[] {
  const more = devices_count > devices.length ? ` and ${devices_count - devices.length} more` : '';
  return [
    `  ${paint(printable(explanation), 'warning')}`,
    ...labelled(
      'breaks',
      `${devices.slice(0, MAX_ROWS).join(', ')}${devices.length > MAX_ROWS ? ` and ${devices_count - MAX_ROWS} more` : more}`,
    ),
    ...(fix ?? []).flatMap((command, index) =>
      labelled(index === 0 ? 'fix' : 'or', command, (text) => paint(text, 'good')),
    ),
    ...labelled('fix', fix_unknown),
    ...labelled('run it', fix_where),
  ];
}

function unknownBlock({ pods, namespaces }: Report, paint: Paint): string[] {
  const unknown = pods.filter(({ would_drop }) => would_drop === null);
  const { refused: closed, found, entered } = namespaces;
  const ways = pods.flatMap(({ device, would_drop, passages }) =>
    would_drop === null
      ? []
      : passages.flatMap(({ to, outcome_unknown }) =>
          outcome_unknown ? [{ device, to, why: outcome_unknown }] : [],
        ),
  );
  if (unknown.length === 0 && ways.length === 0 && closed.length === 0) return [];
  const byWhy = groupBy(unknown, (pod) => whyUnknown(pod));
  return [
    paint('COULD NOT BE LOOKED AT', 'title'),
    ...byWhy.map(
      (group) =>
        `  ${namesOf(group.map(({ device }) => device))}: ${printable(whyUnknown(group[0] as PodReport))}`,
    ),
    ...groupBy(ways, ({ to, why }) => `${to} ${why}`).map((group) => {
      const { to = '', why = '' } = group[0] ?? {};
      return `  ${namesOf(group.map(({ device }) => device))} to ${to}: ${printable(why)}`;
    }),
    ...(closed.length > 0
      ? [
          `  ${found - entered} of ${plural(found, 'network namespace')}: ${printable(closed[0]?.why ?? '')} (${printable(closed[0]?.path ?? '')})`,
        ]
      : []),
  ];
}

function whyUnknown({ unknown, passages }: PodReport): string {
  return unknown ?? passages.find(({ outcome_unknown }) => outcome_unknown)?.outcome_unknown ?? '';
}

function namesOf(names: readonly string[]): string {
  const shown = names.slice(0, MAX_NAMES).map(printable).join(', ');
  return names.length > MAX_NAMES ? `${shown} and ${names.length - MAX_NAMES} more` : shown;
}

function fineBlock({ pods }: Report, paint: Paint): string[] {
  const fine = pods.filter(({ would_drop }) => would_drop === false);
  if (fine.length === 0) return [];
  const cells = fine.map((pod) => [
    deviceText(pod),
    pod.ip ?? '-',
    nameText(pod),
    `to ${pod.passages
      .filter(({ outcome }) => outcome === 'accepted')
      .map(({ to }) => to)
      .join(', ')}`,
  ]);
  return [paint('FINE', 'title'), ...align(cells.map((row) => row.map(printable))).map((row) => `  ${row}`)];
}

/** Those that are not there are told in one line: mostly that is as it should be. */
function sourcesBlock({ sources }: Report, all: boolean, paint: Paint): string[] {
  if (sources.length === 0) return [];
  const told = sources.filter(({ state }) => all || (state !== 'absent' && state !== 'off'));
  const others = sources.filter((source) => !told.includes(source)).map(({ name }) => name);
  const cells = told.map(({ name, state, pods, at, why }) => [
    name,
    state,
    pods === undefined ? '' : plural(pods, 'pod'),
    [at, why].filter(Boolean).join(': '),
  ]);
  return [
    paint('NAMES OF PODS', 'title'),
    ...align(cells.map((row) => row.map(printable))).map((row) => `  ${row}`),
    ...(others.length > 0
      ? [`  not on this machine, or switched off: ${others.map(printable).join(', ')}`]
      : []),
  ];
}

function machineBlock(report: Report, all: boolean, paint: Paint): string[] {
  const { features, capabilities, environment } = report;
  const lacking = features.filter(({ state, unused }) => state !== 'available' && (all || !unused));
  const lines = lacking.flatMap((feature) => featureLines(feature, paint));
  const there = features
    .filter(({ state }) => state === 'available')
    .map(featureText)
    .join(', ');
  const held = capabilities.filter((capability) => capability.held).map(({ name }) => name);
  const missing = capabilities.filter((capability) => !capability.held);
  const facts = environment.filter(({ note }) => all || note !== undefined);
  return [
    paint('THIS MACHINE', 'title'),
    ...tracerLines(report, paint),
    ...lines,
    ...(there ? [`  ${paint('available', 'good')}  ${printable(there)}`] : []),
    ...missing.map(
      ({ name, used_for, without }) => `  ${paint(`no ${name}`, 'warning')}, for ${used_for}: ${without}`,
    ),
    ...(all && held.length > 0 ? [`  has ${held.join(', ')}`] : []),
    ...facts.map(({ name, value, value_unknown, note }) =>
      printable(`  ${name}: ${value ?? value_unknown}${note ? `: ${note}` : ''}`),
    ),
  ];
}

function tracerLines({ tracer }: Report, paint: Paint): string[] {
  if (tracer.can_run)
    return [`  ${paint('rpftrace trace can run', 'good')}: it was loaded, attached and taken away`];
  const { code, why = '', remedies = [] } = tracer;
  return [
    `  ${paint('rpftrace trace cannot run', 'bad')}: ${printable(why)} [${code}]`,
    ...remedies.map((remedy, index) => `    ${index + 1}. ${printable(remedy)}`),
  ];
}

function featureText({ name, detail }: Feature): string {
  return detail === undefined ? name : `${name} (${detail})`;
}

function featureLines({ name, state, why = '', cost }: Feature, paint: Paint): string[] {
  const head = printable(state === 'partial' ? `${name} in part` : `no ${name}`);
  return [
    `  ${paint(head, 'warning')}: ${printable(why)}`,
    ...(cost === undefined ? [] : [`    costs: ${printable(cost)}`]),
  ];
}

/** Columns as wide as what is in them; the last one is not filled up. */
function align(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] as string).length)),
  );
  return rows.map((row) =>
    row
      .flatMap((cell, column) => (widths[column] === 0 ? [] : [cell.padEnd(widths[column] as number)]))
      .join('  ')
      .trimEnd(),
  );
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): T[][] {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return [...groups.values()];
}

const LABEL = 'undone by'.length;
const MAX_ROWS = 8;
const MAX_NAMES = 6;
