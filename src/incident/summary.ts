import type { CausingChange, IncidentEvent, RouteChangeMember, Writer } from '../events.js';
import { grouped } from '../grouped.js';

/** All of an incident that its sentence tells. */
export type Told = Omit<IncidentEvent, 'v' | 'kind' | 'summary'>;

/** One sentence for the incident channel: who did what when, who has lost what since, and what ends it. */
export function summarise(incident: Told, ownNetns: number | undefined, isSetBack = false): string {
  const { netns } = incident;
  const where = netns === ownNetns ? '' : ` in network namespace ${netns}`;
  const parts = [
    causeText(incident, where),
    lossText(incident, where),
    endText(incident, isSetBack),
    againText(incident),
  ];
  return `${parts.filter(Boolean).join('; ')}.`;
}

function causeText({ cause, first_drop }: Told, where: string): string {
  if (cause.route) return `${clock(cause.route.time)} UTC ${routeCauseText(cause, cause.route, where)}`;
  if (cause.change === undefined) return `${clock(first_drop)} UTC: ${cause.why}${hintText(cause.hints)}`;
  const { change, also = [] } = cause;
  const own = also.filter(({ writer }) => writer && writer.pid === change.writer?.pid);
  const others = also.filter((other) => !own.includes(other)).map((other) => changeText(other, ''));
  const text = [changeText(change, where), ...own.map((other) => valueText(other, ''))].join(' and ');
  const andOthers = others.length === 0 ? '' : `, within a second of it ${others.join(' and ')}`;
  return `${clock(change.time)} UTC ${text}${andOthers}`;
}

/** " (hints, no proof: /etc/sysctl.d/50-x.conf:3 was written 2026-11-22 09:40:11 UTC)" */
function hintText(hints: Told['cause']['hints'] = []): string {
  if (hints.length === 0) return '';
  const words = hints.map(({ kind, name, time }) => {
    const verb = kind === 'file_written' ? 'sets this value and was written' : 'was started';
    return `${name} ${verb} ${time.slice(0, 10)} ${clock(time)} UTC`;
  });
  return ` (hints, no proof: ${words.slice(0, SHOWN).join(', ')})`;
}

/** "ip (pid 812, ...) deleted the route 10.244.3.136 dev lxcabcd" */
export function routeText(change: RouteChangeMember, where: string): string {
  const { what, action = 'changed', text, writer, writer_by, writer_unknown } = change;
  const known = writer && `${writer_by === 'port_id' ? 'probably ' : ''}${writerText(writer)}`;
  const who = known ?? `somebody unknown (${writer_unknown})`;
  if (what === 'many' || what === 'missed') return `there were ${text} of routes${where} at a time`;
  if (what === 'link' && (action === 'up' || action === 'down'))
    return `${who} set ${text} ${action}${where}`;
  const noun = { route: 'route', rule: 'rule', address: 'address', link: 'device', nexthop: 'next hop' }[
    what
  ];
  return `${who} ${action} the ${noun} ${text}${where}`;
}

function routeCauseText(
  { came_with, uncertain }: Told['cause'],
  route: RouteChangeMember,
  where: string,
): string {
  const moved = came_with ? `, and with it the route ${came_with.text}` : '';
  const doubt = uncertain === undefined ? '' : `, which may have made it (not proven: ${uncertain})`;
  return `${routeText(route, where)}${moved}${doubt}`;
}

/** "tuned (pid 812, ...) set net.ipv4.conf.all.rp_filter 0 -> 1" */
export function changeText(change: CausingChange, where: string): string {
  const { writer } = change;
  const set = valueText(change, where);
  if (writer) return `${writerText(writer)} set ${set}`;
  const since = change.not_before === undefined ? '' : ` after ${clock(change.not_before)}`;
  return `somebody unknown (${change.writer_unknown}) set ${set}${since}`;
}

function valueText({ name, old, new: value }: CausingChange, where: string): string {
  return `${name}${old === undefined ? ' to' : ` ${old} ->`} ${value}${where}`;
}

/** "tuned (pid 812, tuned.service, /usr/sbin/tuned -l -P, parent systemd)" */
function writerText(writer: Writer): string {
  const [parent] = writer.parents;
  const facts = [
    `pid ${writer.pid}`,
    writer.systemd_unit,
    writer.container_id && `container ${writer.container_id.slice(0, 12)}`,
    commandText(writer),
    parent && `parent ${parent.comm}`,
  ];
  return `${writer.comm} (${facts.filter(Boolean).join(', ')})`;
}

/** The command line as it was typed, shortened; the program's file where that does not say it. */
function commandText({ cmdline, exe }: Writer): string | undefined {
  if (cmdline === undefined || cmdline.length === 0) return exe;
  const line = cmdline.map((word) => (/^[\w./:=@%+,-]+$/.test(word) ? word : `'${word}'`)).join(' ');
  const short = line.length > MAX_COMMAND ? `${line.slice(0, MAX_COMMAND)}…` : line;
  return exe === undefined || cmdline[0]?.startsWith('/') ? short : `${short}, ${exe}`;
}

function lossText(incident: Told, where: string): string {
  const { drops, sources, sources_count, cause } = incident;
  const inside = cause.kind === 'unknown' ? where : '';
  const from = sources_count === 0 ? '' : ` from ${list(sources, sources_count)}`;
  const packets = `${grouped(drops)} ${drops === 1 ? 'packet' : 'packets'}`;
  return `since ${clock(incident.first_drop)} ${loserText(incident, inside)} lost ${packets}${from}`;
}

/** "qfusion-admin/mssql-0 (lxcabcd)", or the devices alone where no pod is known. */
function loserText({ devices, devices_count, pods = [], pods_count = 0 }: Told, inside: string): string {
  const where = `${list(devices, devices_count)}${inside}`;
  if (pods_count === 0) return where;
  return `${list(pods, pods_count)}${pods_count < devices_count ? ' and others' : ''} (${where})`;
}

function endText({ closed_by, fix, last_drop }: Told, isSetBack: boolean): string {
  if (closed_by?.change) {
    const { change } = closed_by;
    const isCilium = change.writer?.comm === 'cilium-agent';
    const who = isCilium ? `Cilium’s own reconciliation, ${changeText(change, '')}` : changeText(change, '');
    return `it ended at ${clock(change.time)}: ${who}`;
  }
  if (closed_by?.route)
    return `it ended at ${clock(closed_by.route.time)}: ${routeText(closed_by.route, '')}`;
  if (closed_by?.kind === 'drops_stopped') return `no more drops since ${clock(last_drop)}`;
  if (closed_by?.kind === 'namespace_gone') return 'the network namespace is gone';
  return fix.length === 0 ? '' : `${isSetBack ? 'set it back' : 'end it'} with: ${fix.join(' && ')}`;
}

/** Which files will make it happen again, and which of them the writer had it from. */
function againText({ persisted = [], cause }: Told): string {
  const atBoot = persisted.filter(({ at_boot }) => at_boot);
  const lines = atBoot.length > 0 ? atBoot : persisted;
  if (lines.length === 0) return '';
  const reader = cause.change?.writer?.comm;
  const texts = lines.map(({ file, line, read_by_writer }) => {
    const isRead = read_by_writer && reader !== undefined;
    return `${file}:${line}${isRead ? ` (read by ${reader})` : ''}`;
  });
  const places = [...new Set(texts)];
  return `${list(places, places.length)} will set it again${atBoot.length > 0 ? '' : ' whenever it is read'}`;
}

function list(names: readonly string[], count: number): string {
  const shown = names.slice(0, SHOWN);
  const more = count - shown.length;
  if (more > 0) return `${shown.join(', ')} and ${more} more`;
  return shown.length === 0 ? 'somebody' : shown.join(', ');
}

function clock(time: string): string {
  return time.slice(11, 19);
}

const SHOWN = 3;
const MAX_COMMAND = 120;
