import type { VerdictName } from '../events.js';
import { settingName } from '../settings/name.js';
import {
  checkSource,
  effectiveFilter,
  type FoundRoute,
  isOn,
  type ReverseRoute,
  type SourceState,
  type Switch,
} from './check.js';
import type { CommandPlace } from './namespace.js';
import type { Passage } from './route.js';

/** What a cure is chosen by. */
export interface Ailment {
  readonly verdict: VerdictName | undefined;
  /** The kernel says that rp_filter refused it, whichever of its rules it was. */
  readonly isByFilter: boolean;
  readonly src: string;
  readonly device: string;
  /** Containers are behind the device. */
  readonly isPodDevice: boolean;
  readonly state: Omit<SourceState, 'route'>;
  readonly srcValidMark: Switch;
  readonly route: ReverseRoute;
  /** To ask for the way back again. */
  readonly passage?: Passage | undefined;
  /** Without the packet's mark; undefined where the mark has no part in the lookup. */
  readonly routeWithoutMark: ReverseRoute | undefined;
}

/** A value for a setting of `all` or of a device. */
export interface Assignment {
  /** all, or a device */
  readonly scope: string;
  /** rp_filter, accept_local, ... */
  readonly setting: string;
  readonly value: number;
}

export interface Cure {
  /** Each alone ends the drop; the least invasive first. */
  readonly fix?: readonly string[];
  /** Why there is none. */
  readonly fix_unknown?: string;
  /** What the first one sets. */
  readonly settings: readonly Assignment[];
}

/**
 * Commands that end this drop. Each was tried on the model of the kernel (checkSource) with what is known of this packet:
 * a command that only leads to the next refusal is not proposed.
 */
export function findCure(ailment: Ailment, place: CommandPlace): Cure {
  const { verdict, route, isByFilter } = ailment;
  if (isForSender(verdict)) return unfixable(SENDER_ONLY);
  if (!isByFilter && (verdict === undefined || verdict === 'not_rpf')) return { settings: [] };
  if (!isByFilter && route.kind === 'unknown')
    return unfixable(`the way back to the source is not known: ${route.why}`);
  const chosen = curesOf(ailment).slice(0, MAX_FIXES);
  const routeCommand = endpointRoute(ailment, route);
  const fix = [
    ...chosen.map((settings) => place.command(sysctlWords(settings))),
    ...(routeCommand ? [place.command(routeCommand)] : []),
  ];
  if (fix.length === 0) return unfixable('no setting alone ends this drop');
  return { fix, settings: chosen[0] ?? [] };
}

/** Sources that nobody may have: whoever sends them has to change. */
export function isForSender(verdict: VerdictName | undefined): boolean {
  return verdict === 'invalid_source' || verdict === 'loopback_source';
}

/** Settings of which each entry alone ends the drop, the least invasive first. */
export function curesOf(ailment: Ailment): Assignment[][] {
  return withoutSupersets(candidates(ailment).filter((settings) => isCured(afterwards(ailment, settings))));
}

/** What would be left of it with other values in these settings. */
export function afterwards(ailment: Ailment, settings: Iterable<Assignment>): Ailment {
  let { all, device, acceptLocal } = ailment.state;
  let { srcValidMark } = ailment;
  for (const { scope, setting, value } of settings) {
    if (scope !== 'all' && scope !== ailment.device) continue;
    const isAll = scope === 'all';
    if (setting === 'rp_filter' && isAll) all = value;
    else if (setting === 'rp_filter') device = value;
    else if (setting === 'accept_local') acceptLocal = turned(acceptLocal, isAll, value);
    else if (setting === 'src_valid_mark') srcValidMark = turned(srcValidMark, isAll, value);
  }
  const state = { ...ailment.state, all, device, acceptLocal };
  return { ...ailment, state, srcValidMark, ...lookupWith(ailment, srcValidMark) };
}

/**
 * Whether the kernel lets the source in, as the model of it has it. Where the way back is not known: what rp_filter refused
 * passes without it, since all other rules come before (fib_frontend.c, v6.18).
 */
export function isCured({ state, route, isByFilter }: Ailment): boolean {
  if (route.kind === 'unknown') return isByFilter && effectiveFilter(state.all, state.device) === 0;
  return checkSource({ ...state, route }) === 'accepted';
}

/** Words of a command that sets these. */
export function sysctlWords(settings: readonly Assignment[]): string[] {
  return [
    'sysctl',
    '-w',
    ...settings.map(({ scope, setting, value }) => `${settingKey(scope, setting)}=${value}`),
  ];
}

/** As sysctl(8) takes it. */
export function settingKey(scope: string, setting: string): string {
  return settingName({ device: scope, setting });
}

function turned(before: Switch, isAll: boolean, value: number): Switch {
  return isAll ? { ...before, all: value !== 0 } : { ...before, device: value !== 0 };
}

type Lookup = Pick<Ailment, 'route' | 'routeWithoutMark' | 'isByFilter'>;

/** With src_valid_mark off the packet's mark has no part in the lookup. What the kernel said is true of its own lookup. */
function lookupWith(ailment: Ailment, srcValidMark: Switch): Lookup {
  const { route, routeWithoutMark, isByFilter } = ailment;
  if (isOn(srcValidMark) && !isOn(ailment.srcValidMark)) return WITH_MARK;
  if (isOn(srcValidMark) || routeWithoutMark === undefined) return { route, routeWithoutMark, isByFilter };
  return { route: routeWithoutMark, routeWithoutMark: undefined, isByFilter: false };
}

const WITH_MARK: Lookup = {
  route: { kind: 'unknown', why: 'it was not asked for with the mark of the packet' },
  routeWithoutMark: undefined,
  isByFilter: false,
};

/** From the least invasive to the most. Loosening one device comes before all devices, loose mode before none. */
function candidates({
  device,
  state,
  verdict,
  route,
  routeWithoutMark,
  srcValidMark,
}: Ailment): Assignment[][] {
  const isLocal = verdict === 'local_source' || (route.kind === 'found' && route.type === 'local');
  const own = (setting: string, value: number): Assignment => ({ scope: device, setting, value });
  const all = (setting: string, value: number): Assignment => ({ scope: 'all', setting, value });
  const bases: Assignment[][] = [
    ...(verdict === 'local_source' ? [] : [[]]),
    ...(routeWithoutMark
      ? [
          [
            ...(srcValidMark.device ? [own('src_valid_mark', 0)] : []),
            ...(srcValidMark.all ? [all('src_valid_mark', 0)] : []),
          ],
        ]
      : []),
    ...(isLocal && !isOn(state.acceptLocal) ? [[own('accept_local', 1)]] : []),
  ];
  const loose = own('rp_filter', 2);
  const off = [own('rp_filter', 0), all('rp_filter', 0)] as const;
  const filters: Assignment[][] = [[], [loose], [off[0]], [off[1]], [...off]];
  const isNew = ({ scope, value }: Assignment) => value !== (scope === 'all' ? state.all : state.device);
  return bases.flatMap((base) =>
    filters.filter((filter) => filter.every(isNew)).map((filter) => [...base, ...filter]),
  );
}

/** A change that does all that another one does, and more, is not needed. */
function withoutSupersets(cures: readonly Assignment[][]): Assignment[][] {
  const isSuperset = (cure: readonly Assignment[], other: readonly Assignment[]) =>
    cure !== other && other.every((one) => cure.some((another) => isSame(one, another)));
  return cures.filter((cure) => !cures.some((other) => isSuperset(cure, other)));
}

function isSame(one: Assignment, other: Assignment): boolean {
  return one.scope === other.scope && one.setting === other.setting && one.value === other.value;
}

/**
 * A route of the source's own through the device that it comes in by. Only where the source has a narrower route than the
 * default one and comes out of a container: elsewhere it may be forged, and the route would serve the forger. A route to this
 * one address says that it is somebody else’s.
 */
function endpointRoute(
  { isPodDevice, src, device, state }: Ailment,
  route: ReverseRoute,
): string[] | undefined {
  if (!isPodDevice || route.kind !== 'found' || route.type !== 'unicast') return undefined;
  const { prefix, table, certain } = route;
  if (!certain || prefix === undefined || table === undefined || /\/(0|32)$/.test(prefix)) return undefined;
  const own: FoundRoute = { ...route, hops: [state.ifindex] };
  if (checkSource({ ...state, route: own }) !== 'accepted') return undefined;
  const inTable = table === RT_TABLE_MAIN ? [] : ['table', String(table)];
  return ['ip', 'route', 'replace', `${src}/32`, 'dev', device, ...inTable];
}

function unfixable(why: string): Cure {
  return { fix_unknown: why, settings: [] };
}

export const SENDER_ONLY =
  'no setting of this machine should let such a source in: the sender has to use an address of its own';
/** include/uapi/linux/rtnetlink.h */
const RT_TABLE_MAIN = 254;
const MAX_FIXES = 2;
