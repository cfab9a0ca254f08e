import { roleOf } from '../attribute/roles.js';
import { type Evidence, ReverseRoutes } from '../explain/route.js';
import type { NativeAddon, NativeSurvey } from '../native.js';
import type { Destination } from './report.js';

/** A way that packets of a pod take, and what the kernel would find when it looks for the way back. */
export interface Passage {
  readonly to: Destination;
  readonly dst: string;
  readonly evidence: Evidence;
}

interface Target {
  readonly to: Destination;
  readonly dst: string;
}

type RouteAddon = Pick<NativeAddon, 'route' | 'rules'>;

/**
 * Where packets of pods go, namespace by namespace, and the ways back. Only routing tables are asked; no packet is made. Where
 * policy rules look at source or device the kernel has to be asked as if a packet came in by the uplink: the address outside
 * is one whose own way back is the uplink, so the kernel does not refuse it, and counts and prints nothing.
 */
export class Passages {
  readonly #addon: RouteAddon;
  readonly #routes: ReverseRoutes;
  readonly #uplinks = new Map<number, Uplink | undefined>();
  readonly #targets = new Map<number, readonly Target[]>();

  constructor(addon: RouteAddon) {
    this.#addon = addon;
    this.#routes = new ReverseRoutes({ addon, budgetMs: Number.POSITIVE_INFINITY });
  }

  /** ifindex of the device that the default route leaves by; undefined where there is none, or it cannot be asked for. */
  uplinkOf(netns: number): number | undefined {
    return this.#uplink(netns)?.ifindex;
  }

  /** From an address behind a device. */
  of(src: string, survey: NativeSurvey): Passage[] {
    return this.#targetsOf(survey).map(({ to, dst }) => ({
      to,
      dst,
      evidence: this.#routes.find({ netns: survey.netns, src, dst, mark: 0 }).evidence,
    }));
  }

  #targetsOf(survey: NativeSurvey): readonly Target[] {
    const known = this.#targets.get(survey.netns);
    if (known) return known;
    const targets = this.#findTargets(survey);
    this.#targets.set(survey.netns, targets);
    return targets;
  }

  #findTargets({ netns, addresses, devices }: NativeSurvey): Target[] {
    const uplink = this.#uplink(netns);
    const addressOn = (ifindex: number | undefined) =>
      addresses.find((address) => address.ifindex === ifindex && address.scope < RT_SCOPE_LINK)?.ip;
    const ciliumHost = addressOn(devices.find((device) => roleOf(device) === 'cilium_host')?.ifindex);
    const node = addressOn(uplink?.ifindex);
    return [
      ...(uplink ? [{ to: 'outside' as const, dst: uplink.outside }] : []),
      ...(node === undefined ? [] : [{ to: 'node' as const, dst: node }]),
      ...(ciliumHost === undefined ? [] : [{ to: 'cilium_host' as const, dst: ciliumHost }]),
    ];
  }

  #uplink(netns: number): Uplink | undefined {
    if (!this.#uplinks.has(netns)) this.#uplinks.set(netns, findUplink(this.#addon, netns));
    return this.#uplinks.get(netns);
  }
}

interface Uplink {
  readonly ifindex: number;
  /** An address that is reached by the default route. */
  readonly outside: string;
}

function findUplink(addon: RouteAddon, netns: number): Uplink | undefined {
  for (const outside of OUTSIDE) {
    const route = ask(addon, netns, outside);
    if (route?.prefix === '0.0.0.0/0' && route.ifindex !== undefined && route.type === RTN_UNICAST)
      return { ifindex: route.ifindex, outside };
  }
  return undefined;
}

function ask(addon: RouteAddon, netns: number, dst: string): ReturnType<RouteAddon['route']> | undefined {
  try {
    return addon.route(netns, { dst });
  } catch {
    return undefined; // the namespace has gone, or may not be entered: the survey says so
  }
}

/** Addresses for documentation, which nobody has (RFC 5737); some networks have routes for these, so others come after. */
const OUTSIDE = ['203.0.113.1', '198.51.100.1', '192.0.2.1', '8.8.8.8', '1.1.1.1'];
/** include/uapi/linux/rtnetlink.h */
const RTN_UNICAST = 1;
const RT_SCOPE_LINK = 253;
