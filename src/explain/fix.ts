import type { VerdictName } from '../events.js';
import { checkSource, type FoundRoute, isOn, type ReverseRoute, type SourceState } from './check.js';
import type { CommandPlace } from './namespace.js';

/** What a cure is chosen by. */
export interface Ailment {
  readonly verdict: VerdictName | undefined;
  readonly src: string;
  readonly device: string;
  /** Containers are behind the device. */
  readonly isPodDevice: boolean;
  readonly state: Omit<SourceState, 'route'>;
  readonly srcValidMark: { readonly all: boolean; readonly device: boolean };
  readonly route: ReverseRoute;
  /** Without the packet's mark; undefined where the mark has no part in the lookup. */
  readonly routeWithoutMark: ReverseRoute | undefined;
}

export interface Cure {
  /** Each alone ends the drop; the least invasive first. */
  readonly fix?: readonly string[];
  /** Why there is none. */
  readonly fix_unknown?: string;
  /** What the first one sets: "net.ipv4.conf.all.rp_filter" and its value. */
  readonly settings: readonly (readonly [key: string, value: number])[];
}

/**
 * Commands that end this drop. Each was tried on the model of the kernel (checkSource) with what is known of this packet:
 * a command that only leads to the next refusal is not proposed.
 */
export function findCure(ailment: Ailment, place: CommandPlace): Cure {
  const { verdict, route } = ailment;
  if (verdict === undefined || verdict === 'not_rpf') return { settings: [] };
  if (isForSender(verdict)) return unfixable(SENDER_ONLY);
  if (route.kind === 'unknown') return unfixable(`the way back to the source is not known: ${route.why}`);
  const changes = settingChanges(ailment, route).filter((change) => cures(ailment, route, change));
  const chosen = withoutSupersets(changes).slice(0, MAX_FIXES);
  const routeCommand = endpointRoute(ailment, route);
  const fix = [
    ...chosen.map((change) => place.command(sysctlWords(ailment, change))),
    ...(routeCommand ? [place.command(routeCommand)] : []),
  ];
  const first = chosen[0];
  if (fix.length === 0) return unfixable('no setting alone ends this drop');
  return { fix, settings: first ? settingsOf(ailment, first) : [] };
}

/** Sources that nobody may have: whoever sends them has to change. */
export function isForSender(verdict: VerdictName | undefined): boolean {
  return verdict === 'invalid_source' || verdict === 'loopback_source';
}

/** Values to set; what is undefined stays. */
interface Change {
  readonly all?: number;
  readonly device?: number;
  readonly acceptLocal?: true;
  readonly ignoreMark?: true;
}

/** From the least invasive to the most. Loosening one device comes before all devices, loose mode before none. */
function settingChanges({ state, verdict, routeWithoutMark }: Ailment, route: ReverseRoute): Change[] {
  const isLocal = verdict === 'local_source' || (route.kind === 'found' && route.type === 'local');
  const bases: Change[] = [
    ...(verdict === 'local_source' ? [] : [{}]),
    ...(routeWithoutMark ? [{ ignoreMark: true as const }] : []),
    ...(isLocal && !isOn(state.acceptLocal) ? [{ acceptLocal: true as const }] : []),
  ];
  const filters: Change[] = [{}, { device: 2 }, { device: 0 }, { all: 0 }, { all: 0, device: 0 }];
  return bases.flatMap((base) =>
    filters
      .filter(({ all, device }) => all !== state.all && device !== state.device)
      .map((filter) => ({ ...base, ...filter })),
  );
}

function cures(ailment: Ailment, known: Exclude<ReverseRoute, { kind: 'unknown' }>, change: Change): boolean {
  const { state, routeWithoutMark } = ailment;
  const route = change.ignoreMark ? routeWithoutMark : known;
  if (route === undefined || route.kind === 'unknown') return false;
  const { all = state.all, device = state.device } = change;
  const acceptLocal = change.acceptLocal ? { ...state.acceptLocal, device: true } : state.acceptLocal;
  return checkSource({ ...state, all, device, acceptLocal, route }) === 'accepted';
}

/** A change that does all that another one does, and more, is not needed. */
function withoutSupersets(changes: readonly Change[]): Change[] {
  const isSuperset = (change: Change, other: Change) =>
    change !== other &&
    Object.entries(other).every(([name, value]) => change[name as keyof Change] === value);
  return changes.filter((change) => !changes.some((other) => isSuperset(change, other)));
}

function settingsOf({ device, srcValidMark }: Ailment, change: Change): [key: string, value: number][] {
  const settings: (readonly [scope: string, name: string, value: number] | false)[] = [
    change.acceptLocal === true && [device, 'accept_local', 1],
    change.ignoreMark === true && srcValidMark.device && [device, 'src_valid_mark', 0],
    change.ignoreMark === true && srcValidMark.all && ['all', 'src_valid_mark', 0],
    change.device !== undefined && [device, 'rp_filter', change.device],
    change.all !== undefined && ['all', 'rp_filter', change.all],
  ];
  return settings
    .filter((setting) => setting !== false)
    .map(([scope, name, value]) => [settingKey(scope, name), value]);
}

/** sysctl(8): with slashes between the words, a dot is a dot of the device's name. */
export function settingKey(scope: string, name: string): string {
  return scope.includes('.') ? `net/ipv4/conf/${scope}/${name}` : `net.ipv4.conf.${scope}.${name}`;
}

function sysctlWords(ailment: Ailment, change: Change): string[] {
  return ['sysctl', '-w', ...settingsOf(ailment, change).map(([key, value]) => `${key}=${value}`)];
}

/**
 * A route of the source's own through the device that it comes in by. Only where the source has a narrower route than the
 * default one and comes out of a container: elsewhere it may be forged, and the route would serve the forger.
 */
function endpointRoute(
  { isPodDevice, src, device, state }: Ailment,
  route: ReverseRoute,
): string[] | undefined {
  if (!isPodDevice || route.kind !== 'found' || route.type !== 'unicast') return undefined;
  const { prefix, table, certain } = route;
  if (!certain || prefix === undefined || table === undefined || prefix.endsWith('/0')) return undefined;
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
