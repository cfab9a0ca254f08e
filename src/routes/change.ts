import type { RouteType, Writer } from '../events.js';
import { ROUTE_ACTION, ROUTE_CHANGED } from '../record/layout.gen.js';
import type { RouteChangeReader } from '../record/route-records.js';
import { type Prefix, parsePrefix } from './prefix.js';

/** Who asked the kernel for a change, as far as it can be told. */
export type Asker =
  | {
      /** socket: the process has the netlink socket that asked; port_id: its number is the socket's, as most have it. */
      readonly by: 'socket' | 'port_id';
      readonly writer: Writer;
    }
  | { readonly why: string };

/** Something that IPv4 routes depend on became different. */
export interface RouteChange {
  /** CLOCK_MONOTONIC, when the kernel's message was read. */
  readonly timeNs: bigint;
  /** It had not happened yet at this time. */
  readonly notBeforeNs: bigint;
  readonly netns: number;
  /** many: `count` changes of any kind, too many to tell each; missed: nobody knows how many. */
  readonly what: 'route' | 'rule' | 'address' | 'link' | 'nexthop' | 'many' | 'missed';
  readonly action: 'added' | 'replaced' | 'deleted' | 'up' | 'down' | 'changed';
  readonly count: number;
  /** 0: the kernel did it by itself, or does not say who asked. */
  readonly portId: number;
  readonly table: number;
  readonly priority: number;
  readonly ifindex: number;
  readonly device: string | undefined;
  readonly nexthopId: number;
  readonly mark: number;
  readonly markMask: number;
  /** ifindex of each next hop, at most 8 of hopCount. */
  readonly hops: readonly number[];
  readonly hopCount: number;
  /** Of a route or rule; of an address itself: "10.244.3.0/24". */
  readonly prefix: string;
  /** The same, to be compared. */
  readonly covered: Prefix;
  /** Of a rule. */
  readonly source: string;
  readonly gateway: string | undefined;
  /** Of a route. */
  readonly type: RouteEnd;
  /** The kernel made the route itself, because of an address or a device. */
  readonly isByKernel: boolean;
  readonly asker: Asker;
}

/** What a route leads to: a lookup finds it, or ends with it. */
export type RouteEnd = RouteType | 'blackhole' | 'unreachable' | 'prohibit' | 'throw';

/** Undefined for what is no change. `ask` finds out who asked for it, while that can be known. */
export function readRouteChange(
  record: RouteChangeReader,
  ask: (portId: number, netns: number) => Asker,
): RouteChange | undefined {
  const what = WHAT[record.what];
  if (what === undefined) return undefined;
  const { portId, netns, device, gateway } = record;
  return {
    timeNs: record.timeNs,
    notBeforeNs: record.notBeforeNs,
    netns,
    what,
    action: ACTION[record.action] ?? 'changed',
    count: record.count,
    portId,
    table: record.table,
    priority: record.priority,
    ifindex: record.ifindex,
    device: device === '' ? undefined : device,
    nexthopId: record.nexthopId,
    mark: record.mark,
    markMask: record.markMask,
    hops: record.hops,
    hopCount: record.hopCount,
    prefix: record.prefix,
    covered: parsePrefix(record.prefix),
    source: record.source,
    gateway: gateway === '0.0.0.0' ? undefined : gateway,
    type: ENDS[record.type] ?? 'unspecified',
    isByKernel: record.protocol === RTPROT_KERNEL,
    asker: portId === 0 ? { why: whyNobody(what) } : ask(portId, netns),
  };
}

function whyNobody(what: RouteChange['what']): string {
  if (what === 'many') return 'too many changes at a time to tell each';
  if (what === 'link') return 'the kernel does not say who changes devices';
  return 'the kernel did it because of something else, or does not say who asked';
}

const WHAT: Readonly<Record<number, RouteChange['what']>> = {
  [ROUTE_CHANGED.CHANGED_ROUTE]: 'route',
  [ROUTE_CHANGED.CHANGED_RULE]: 'rule',
  [ROUTE_CHANGED.CHANGED_ADDRESS]: 'address',
  [ROUTE_CHANGED.CHANGED_LINK]: 'link',
  [ROUTE_CHANGED.CHANGED_NEXTHOP]: 'nexthop',
  [ROUTE_CHANGED.CHANGED_MANY]: 'many',
  [ROUTE_CHANGED.CHANGED_MISSED]: 'missed',
};

const ACTION: Readonly<Record<number, RouteChange['action']>> = {
  [ROUTE_ACTION.ACTION_ADDED]: 'added',
  [ROUTE_ACTION.ACTION_REPLACED]: 'replaced',
  [ROUTE_ACTION.ACTION_DELETED]: 'deleted',
  [ROUTE_ACTION.ACTION_UP]: 'up',
  [ROUTE_ACTION.ACTION_DOWN]: 'down',
};

/** RTN_*, include/uapi/linux/rtnetlink.h */
const ENDS: readonly RouteEnd[] = [
  'unspecified',
  'unicast',
  'local',
  'broadcast',
  'anycast',
  'multicast',
  'blackhole',
  'unreachable',
  'prohibit',
  'throw',
];
const RTPROT_KERNEL = 2;
