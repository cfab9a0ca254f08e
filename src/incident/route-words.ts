import type { IncidentEvent, RouteChangeMember } from '../events.js';
import type { RouteChange } from '../routes/change.js';
import { bitsOf } from '../routes/prefix.js';
import type { RouteSuspect } from './route-culprit.js';

/** A change of routes as a member of an event. */
export function routeMember(change: RouteChange, format: (timeNs: bigint) => string): RouteChangeMember {
  const { what, action, netns, count, table, gateway, device, type, nexthopId, portId, asker } = change;
  const isRoute = what === 'route';
  return {
    time: format(change.timeNs),
    what,
    ...(what !== 'many' && what !== 'missed' && { action }),
    text: wordsOf(change).join(' '),
    netns,
    ...(what === 'many' && { count }),
    ...((isRoute || (what === 'rule' && table !== 0)) && { table }),
    ...((isRoute || what === 'rule' || what === 'address') && { prefix: change.prefix }),
    ...(gateway !== undefined && { gateway }),
    ...(device !== undefined && { device }),
    ...(isRoute && { type }),
    ...(nexthopId !== 0 && { nexthop_id: nexthopId }),
    ...(portId !== 0 && { port_id: portId }),
    ...('writer' in asker ? { writer: asker.writer, writer_by: asker.by } : { writer_unknown: asker.why }),
  };
}

/** A change of routes as the cause of an incident. */
export function routeCause(
  { change, trigger, doubt }: RouteSuspect,
  format: (timeNs: bigint) => string,
): IncidentEvent['cause'] {
  return {
    kind: 'route_change',
    route: routeMember(trigger ?? change, format),
    ...(trigger && { came_with: routeMember(change, format) }),
    certain: doubt === undefined,
    ...(doubt !== undefined && { uncertain: doubt }),
  };
}

/** The words of ip(8) that bring back what was taken away, where that is proven to have made the drops. */
export function undoOf({ change, trigger, doubt }: RouteSuspect): string[] | undefined {
  return doubt === undefined ? undoWords(trigger ?? change) : undefined;
}

function undoWords(change: RouteChange): string[] | undefined {
  const { what, action, hopCount, nexthopId } = change;
  if (action !== 'deleted') return undefined;
  if (what === 'address') return ['ip', 'address', 'add', ...wordsOf(change)];
  const isSimple = what === 'route' && !change.isByKernel && hopCount <= 1 && nexthopId === 0;
  return isSimple ? ['ip', 'route', 'replace', ...wordsOf(change)] : undefined;
}

function wordsOf(change: RouteChange): string[] {
  const { what, prefix, device, nexthopId, count } = change;
  switch (what) {
    case 'route':
      return routeWords(change);
    case 'rule':
      return ruleWords(change);
    case 'address':
      return [prefix, ...option('dev', device)];
    case 'link':
      return [device ?? `device ${change.ifindex}`];
    case 'nexthop':
      return ['id', String(nexthopId), ...option('via', change.gateway), ...option('dev', device)];
    case 'many':
      return [`${count} changes`];
    case 'missed':
      return ['more changes than could be heard'];
  }
}

function routeWords({
  type,
  prefix,
  gateway,
  device,
  table,
  priority,
  nexthopId,
  hopCount,
}: RouteChange): string[] {
  return [
    ...(type === 'unicast' ? [] : [type]),
    bitsOf(prefix) === 0 ? 'default' : prefix,
    ...(nexthopId === 0 ? [] : ['nhid', String(nexthopId)]),
    ...option('via', gateway),
    ...option('dev', device),
    ...(hopCount > 1 ? [`and ${hopCount - 1} more next hops`] : []),
    ...(table === RT_TABLE_MAIN ? [] : ['table', String(table)]),
    ...(priority === 0 ? [] : ['metric', String(priority)]),
  ];
}

function ruleWords({ source, prefix, mark, markMask, device, table, priority }: RouteChange): string[] {
  return [
    ...(bitsOf(source) === 0 ? ['from all'] : ['from', source]),
    ...(bitsOf(prefix) === 0 ? [] : ['to', prefix]),
    ...(markMask === 0 ? [] : [`fwmark 0x${mark.toString(16)}/0x${markMask.toString(16)}`]),
    ...option('iif', device),
    ...(table === 0 ? [] : ['lookup', String(table)]),
    'pref',
    String(priority),
  ];
}

function option(name: string, value: string | undefined): string[] {
  return value === undefined ? [] : [name, value];
}

const RT_TABLE_MAIN = 254;
