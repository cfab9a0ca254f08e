import type { RpfMode } from '../events.js';
import {
  checkSource,
  type Outcome,
  type ReverseRoute,
  type SourceState,
  type Switch,
} from '../explain/check.js';
import type { NativeConf } from '../native.js';
import type { Passage } from './passages.js';
import type { PodDevice } from './pod-devices.js';

/** The settings that decide: of `all`, and of the device whose settings count. */
export interface Settings {
  readonly all: NativeConf;
  readonly device: NativeConf;
}

export type Judgement =
  | { readonly kind: 'known'; readonly outcome: Outcome | 'not_forwarded' }
  | { readonly kind: 'unknown'; readonly why: string };

/**
 * What the kernel would do with a packet on this passage: ip_route_input_slow() and fib_validate_source(), net/ipv4, v6.18. Of a
 * device that does not forward, what is not for this machine dies before its source is looked at.
 */
export function judge(device: PodDevice, { to, evidence }: Passage, settings: Settings): Judgement {
  if (to === 'outside' && settings.device.forwarding === 0)
    return { kind: 'known', outcome: 'not_forwarded' };
  const { route, customRules } = evidence;
  if (route.kind === 'unknown') return { kind: 'unknown', why: route.why };
  if (!isForeseeable(route))
    return { kind: 'unknown', why: route.uncertain ?? 'the route back is not certain' };
  return { kind: 'known', outcome: checkSource({ ...stateOf(device, settings, customRules), route }) };
}

export function isDropped(judgement: Judgement): boolean {
  return judgement.kind === 'known' && judgement.outcome !== 'accepted';
}

function isForeseeable(route: Exclude<ReverseRoute, { kind: 'unknown' }>): boolean {
  return route.certain || route.sameOutcome === true;
}

export function stateOf(
  { checked, unnumbered }: PodDevice,
  { all, device }: Settings,
  customRules: boolean,
): Omit<SourceState, 'route'> {
  return {
    all: all.rpFilter,
    device: device.rpFilter,
    acceptLocal: switchOf(all.acceptLocal, device.acceptLocal),
    unnumbered,
    ifindex: checked.ifindex,
    isLoopback: false,
    customRules,
  };
}

/** The mode as events have it: src/explain/mode.ts makes the same of a drop. */
export function modeOf({ unnumbered }: PodDevice, { all, device }: Settings): RpfMode {
  const either = (name: keyof NativeConf) => all[name] !== 0 || device[name] !== 0;
  return {
    all: all.rpFilter,
    device: device.rpFilter,
    effective: Math.max(all.rpFilter, device.rpFilter),
    decided_by: decidedBy(all.rpFilter, device.rpFilter),
    unnumbered,
    accept_local: either('acceptLocal'),
    src_valid_mark: either('srcValidMark'),
    route_localnet: either('routeLocalnet'),
    forwarding: device.forwarding !== 0,
  };
}

function decidedBy(all: number, device: number): RpfMode['decided_by'] {
  if (all === device) return 'both';
  return all > device ? 'all' : 'device';
}

export function switchOf(all: number, device: number): Switch {
  return { all: all !== 0, device: device !== 0 };
}
