import type { PodSighting, Source, SourceState } from '../attribute/source.js';
import type { NativeSurveyDevice } from '../native.js';
import type { PodName } from './audit.js';
import type { PodDevice } from './pod-devices.js';

/** What the sources of pods have told. */
export interface PodBook {
  readonly states: readonly SourceState[];
  nameOf(device: PodDevice, ip: string | undefined): PodName | undefined;
  /** IPv4 addresses of the pod behind a device. */
  addressesOf(netns: number, device: NativeSurveyDevice): readonly string[];
}

/** Of pods that were told: by their network namespace, by the device outside, and by address. */
export function bookOf(pods: readonly PodSighting[], states: readonly SourceState[] = []): PodBook {
  const known = pods.filter(({ hostNetwork }) => !hostNetwork).slice(0, MAX_PODS);
  const byNetns = new Map(
    known.flatMap((pod) => (pod.netns === undefined ? [] : [[pod.netns, pod] as const])),
  );
  const byDevice = new Map(
    known.flatMap((pod) =>
      pod.interfaces.flatMap(({ hostDevice }) => (hostDevice ? [[hostDevice, pod] as const] : [])),
    ),
  );
  const byIp = new Map(
    known.flatMap((pod) => pod.interfaces.flatMap(({ ips }) => ips.map((ip) => [ip, pod] as const))),
  );
  const behind = (peerNetns: number | undefined, name: string) =>
    (peerNetns === undefined ? undefined : byNetns.get(peerNetns)) ?? byDevice.get(name);
  return {
    states,
    nameOf({ peerNetns, device }, ip) {
      const pod = behind(peerNetns, device.name) ?? (ip === undefined ? undefined : byIp.get(ip));
      return pod && { namespace: pod.namespace, name: pod.name };
    },
    addressesOf(_netns, { linkNetns, name }) {
      const pod = behind(linkNetns === 0 ? undefined : linkNetns, name);
      const interfaces = pod?.interfaces ?? [];
      const own = interfaces.filter(({ hostDevice }) => hostDevice === undefined || hostDevice === name);
      return own.flatMap(({ ips }) => ips.filter((ip) => !ip.includes(':')));
    },
  };
}

/** Asks the sources, and waits until each has told all that it knows, or cannot, or the time is over. */
export async function askSources(sources: readonly Source[], timeoutMs = TIMEOUT_MS): Promise<PodBook> {
  const deadline = performance.now() + timeoutMs;
  const told = sources.map((source) => new Told(source));
  try {
    while (told.some((one) => one.isPending) && performance.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
    return bookOf(
      told.flatMap(({ pods }) => [...pods.values()]),
      told.map(({ source }) => source.state),
    );
  } finally {
    await Promise.all(sources.map((source) => source.stop()));
  }
}

/** What one source has told so far. */
class Told {
  readonly source: Source;
  readonly pods = new Map<string, PodSighting>();
  #isSynced = false;

  constructor(source: Source) {
    this.source = source;
    source.start({
      pod: (sighting) => {
        if (this.pods.size < MAX_PODS) this.pods.set(sighting.key, sighting);
      },
      podGone: (key) => this.pods.delete(key),
      peer: () => undefined,
      peerGone: () => undefined,
      node: () => undefined,
      synced: () => {
        this.#isSynced = true;
      },
    });
  }

  get isPending(): boolean {
    return !this.#isSynced && this.source.state.state === 'connecting';
  }
}

/** As many as a node may have, some times over. */
const MAX_PODS = 4096;
/** Sources that are there answer within milliseconds; a report is not to wait long for one that hangs. */
const TIMEOUT_MS = 700;
const LOOK_AGAIN_MS = 10;

/** Where no source is asked. */
export const NO_PODS: PodBook = bookOf([]);
