import { type DeviceTraits, roleOf } from '../attribute/roles.js';
import type { DeviceRole } from '../events.js';
import type { NativeNeighbours, NativeSurvey, NativeSurveyDevice } from '../native.js';

/** A device that a pod, or another container, is behind. */
export interface PodDevice {
  /** Of the end outside of the pod. */
  readonly netns: number;
  readonly device: NativeSurveyDevice;
  readonly role: DeviceRole;
  /** Whose settings count: the device itself, or the bridge that it belongs to. */
  readonly checked: NativeSurveyDevice;
  /** `checked` has no IPv4 address. */
  readonly unnumbered: boolean;
  readonly peerNetns: number | undefined;
  /** The end inside, where its namespace could be looked into. */
  readonly peer: NativeSurveyDevice | undefined;
  /** Of the pod; empty where they are not known. */
  readonly addresses: readonly PodAddress[];
  /** Why nothing can be said, where that is so. */
  readonly unknown: string | undefined;
}

export interface PodAddress {
  readonly ip: string;
  readonly from: 'peer' | 'source' | 'route' | 'neighbour';
}

export interface Surroundings {
  readonly surveys: readonly NativeSurvey[];
  /** What routes and neighbours tell. Asked only where nothing else does. */
  readonly neighboursOf: (netns: number) => NativeNeighbours;
  /** Addresses that a source of pods knows. */
  readonly addressesOf?: (device: NativeSurveyDevice) => readonly string[];
}

/**
 * The devices that pods are behind: one end of a pair whose other end lies in another network namespace, and by which the
 * namespace's own default route does not leave. That other end may not be a port of a bridge either: then it is this one that
 * is behind.
 */
export function findPodDevices(surroundings: Surroundings): PodDevice[] {
  const byNetns = new Map(surroundings.surveys.map((survey) => [survey.netns, survey]));
  return surroundings.surveys.flatMap((survey) => {
    return uniqueDevices(survey)
      .filter((device) => isPodEnd(device, survey))
      .flatMap((device) => describe(device, survey, byNetns, surroundings) ?? []);
  });
}

/** Something that changed while it was read stands there twice: the last one is right. */
function uniqueDevices({ devices }: NativeSurvey): NativeSurveyDevice[] {
  return [...new Map(devices.map((device) => [device.ifindex, device])).values()];
}

function isPodEnd(device: NativeSurveyDevice, { netns, uplink }: NativeSurvey): boolean {
  const isPair = device.kind === 'veth' || device.kind === 'netkit';
  return isPair && device.linkNetns !== netns && device.ifindex !== uplink?.ifindex;
}

function describe(
  device: NativeSurveyDevice,
  survey: NativeSurvey,
  byNetns: ReadonlyMap<number, NativeSurvey>,
  surroundings: Surroundings,
): PodDevice | undefined {
  const peerSurvey = byNetns.get(device.linkNetns);
  const peer = peerSurvey?.devices.find(({ ifindex }) => ifindex === device.linkIfindex);
  if (peer !== undefined && peer.masterIfindex !== 0) return undefined;
  const master = survey.devices.find(({ ifindex }) => ifindex === device.masterIfindex);
  const checked = master?.kind === 'bridge' ? master : device;
  const unnumbered = !survey.addresses.some(({ ifindex }) => ifindex === checked.ifindex);
  const addresses = findAddresses(device, survey, peerSurvey, surroundings);
  return {
    netns: survey.netns,
    device,
    role: roleOf(device satisfies DeviceTraits),
    checked,
    unnumbered,
    peerNetns: device.linkNetns === 0 ? undefined : device.linkNetns,
    peer,
    addresses,
    unknown: whyUnknown({ device, checked, master, unnumbered, survey, peerSurvey, addresses }),
  };
}

/** What the pod has itself; else what a source of pods says; else what is routed to it, or was seen behind the device. */
function findAddresses(
  device: NativeSurveyDevice,
  { netns }: NativeSurvey,
  peerSurvey: NativeSurvey | undefined,
  { neighboursOf, addressesOf }: Surroundings,
): PodAddress[] {
  const own = (peerSurvey?.addresses ?? []).filter(
    ({ ifindex, scope }) => ifindex === device.linkIfindex && scope < RT_SCOPE_LINK,
  );
  if (own.length > 0) return unique(own.map(({ ip }) => ({ ip, from: 'peer' })));
  const known = addressesOf?.(device) ?? [];
  if (known.length > 0) return unique(known.map((ip) => ({ ip, from: 'source' })));
  if (peerSurvey !== undefined && peerSurvey.errno === undefined) return [];
  const behind = neighboursOf(netns).addresses.filter(({ ifindex }) => ifindex === device.ifindex);
  const routed = behind.filter(({ from }) => from === 'route');
  return unique((routed.length > 0 ? routed : behind).map(({ ip, from }) => ({ ip, from })));
}

function unique(addresses: readonly PodAddress[]): PodAddress[] {
  return [...new Map(addresses.map((address) => [address.ip, address])).values()].slice(0, MAX_ADDRESSES);
}

interface Findings {
  readonly device: NativeSurveyDevice;
  readonly checked: NativeSurveyDevice;
  readonly master: NativeSurveyDevice | undefined;
  readonly unnumbered: boolean;
  readonly survey: NativeSurvey;
  readonly peerSurvey: NativeSurvey | undefined;
  readonly addresses: readonly PodAddress[];
}

function whyUnknown({
  device,
  checked,
  master,
  unnumbered,
  survey,
  peerSurvey,
  addresses,
}: Findings): string | undefined {
  if (master && master.kind !== 'bridge' && SWITCHES.has(master.kind))
    return `${device.name} is a port of ${master.name} (${master.kind}), which takes its packets before they are routed`;
  if (checked !== device && unnumbered)
    return `the bridge ${checked.name} has no IPv4 address: what comes in by it is not routed here`;
  if (survey.all === undefined) return 'the settings below /proc/sys/net/ipv4/conf/all cannot be read';
  if (checked.conf === undefined) return `${checked.name} takes in no IPv4`;
  if (addresses.length > 0) return undefined;
  if (peerSurvey === undefined || peerSurvey.errno !== undefined)
    return 'the address behind it is not known: its network namespace cannot be looked into, and no route or neighbour tells';
  return 'there is no IPv4 address behind it';
}

/** include/uapi/linux/rtnetlink.h */
const RT_SCOPE_LINK = 253;
/** What takes packets in by itself. */
const SWITCHES: ReadonlySet<string> = new Set(['openvswitch', 'team', 'bond']);
/** Of one pod: some have a handful. */
const MAX_ADDRESSES = 16;
