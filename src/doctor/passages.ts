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

/**
 * Where packets of pods go, namespace by namespace, and the ways back. Only routing tables are asked; no packet is made. Where
 * policy rules look at source or device the kernel has to be asked as if a packet came in by the uplink: the address outside
 * is one whose own way back is the uplink, so the kernel does not refuse it, and counts and prints nothing.
 */
export class Passages {
  readonly #routes: ReverseRoutes;
  readonly #targets = new Map<number, readonly Target[]>();

  constructor(addon: Pick<NativeAddon, 'route' | 'rules'>) {
    this.#routes = new ReverseRoutes({ addon, budgetMs: Number.POSITIVE_INFINITY });
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
    const targets = findTargets(survey);
    this.#targets.set(survey.netns, targets);
    return targets;
  }
}

function findTargets({ uplink, addresses, devices }: NativeSurvey): Target[] {
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

/** include/uapi/linux/rtnetlink.h */
const RT_SCOPE_LINK = 253;
