import { hashOfName } from '../attribute/pods/hashed-names.js';
import type { Key, KeyKind, Pod } from '../attribute/pods/pod.js';
import { PodIndex } from '../attribute/pods/pod-index.js';
import type { Observer, Source, SourceState } from '../attribute/source.js';
import type { NativeSurveyDevice } from '../native.js';
import type { PodName } from './audit.js';
import type { PodDevice } from './pod-devices.js';

/** What the sources of pods have told. */
export interface PodBook {
  readonly states: readonly SourceState[];
  nameOf(device: PodDevice, ip: string | undefined): PodName | undefined;
  /** IPv4 addresses of the pod behind a device. */
  addressesOf(device: NativeSurveyDevice): readonly string[];
}

/** Asks the sources, and waits until each has told all that it knows, or cannot, or the time is over. */
export async function askSources(sources: readonly Source[], timeoutMs = TIMEOUT_MS): Promise<PodBook> {
  const index = new PodIndex();
  const deadline = performance.now() + timeoutMs;
  const pending = new Set(sources);
  for (const source of sources)
    source.start(noticing(index.observer(source.name), () => pending.delete(source)));
  try {
    while (isAnyPending(pending) && performance.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
    return bookOf(
      index.pods,
      sources.map(({ state }) => index.judge(inWords(state, timeoutMs))),
    );
  } finally {
    index.close();
    await stopAll(sources);
  }
}

function noticing(observer: Observer, onSynced: () => void): Observer {
  return {
    ...observer,
    synced: (pods, peers) => {
      observer.synced(pods, peers);
      onSynced();
    },
  };
}

/** One that has failed, or has nothing to look at, tells no more soon. */
function isAnyPending(pending: ReadonlySet<Source>): boolean {
  return [...pending].some(({ state: { state } }) => state === 'connecting' || state === 'ok');
}

function inWords(state: SourceState, timeoutMs: number): SourceState {
  if (state.state !== 'connecting') return state;
  return { ...state, why: state.why ?? `no answer within ${timeoutMs} ms, and no longer waited for` };
}

/** One that does not end keeps nobody waiting. */
async function stopAll(sources: readonly Source[]): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const enough = new Promise((resolve) => {
    timer = setTimeout(resolve, STOP_MS);
  });
  await Promise.race([Promise.allSettled(sources.map((source) => source.stop())), enough]);
  clearTimeout(timer);
}

/** Finds pods by their network namespace, by the device outside, by the hash in its name, and by address. */
export function bookOf(pods: Iterable<Pod>, states: readonly SourceState[] = []): PodBook {
  const found = new Map<string, Pod>();
  for (const pod of pods) {
    for (const [kind, keys] of Object.entries(pod.held))
      for (const key of keys) found.set(`${kind} ${key}`, pod);
  }
  const find = (kind: KeyKind, key: Key | undefined) =>
    key === undefined ? undefined : found.get(`${kind} ${key}`);
  const behind = (peerNetns: number | undefined, name: string) =>
    find('netns', peerNetns) ?? find('devices', name) ?? find('hashes', hashOfName(name));
  return {
    states,
    nameOf({ peerNetns, device }, ip) {
      const pod = behind(peerNetns, device.name);
      const named = pod?.facts.name === undefined ? find('addresses', ip) : pod;
      return named && { namespace: named.facts.namespace, name: named.facts.name };
    },
    addressesOf({ linkNetns, name }) {
      const interfaces = behind(linkNetns || undefined, name)?.facts.interfaces ?? [];
      const own = interfaces.filter(({ hostDevice }) => hostDevice === undefined || hostDevice === name);
      return own.flatMap(({ ips }) => ips.filter((ip) => !ip.includes(':')));
    },
  };
}

/** Sources that are there answer within milliseconds; a report is not to wait long for one that hangs. */
const TIMEOUT_MS = 700;
const STOP_MS = 200;
const LOOK_AGAIN_MS = 10;

/** Where no source is asked. */
export const NO_PODS: PodBook = bookOf([]);
