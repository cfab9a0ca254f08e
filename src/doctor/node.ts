import { type CommandPlace, findPlace } from '../explain/namespace.js';
import { Files } from '../explain/persist/files.js';
import { findPersistence, type Persistence } from '../explain/persist.js';
import { inodeOf } from '../if-there.js';
import type { NativeAddon, NativeNeighbours, NativeSurvey } from '../native.js';
import { nodeRoot } from '../node-root.js';
import { type Audited, auditAll, describePod } from './audit.js';
import { findLater, type Later } from './later.js';
import { Passages } from './passages.js';
import { NO_PODS, type PodBook } from './pod-book.js';
import { findPodDevices } from './pod-devices.js';
import type { PodReport } from './report.js';

export interface NodeOptions {
  readonly addon: Pick<NativeAddon, 'route' | 'rules' | 'neighbours'>;
  /** Only the devices of these network namespaces; all when not given. */
  readonly netns?: readonly number[] | undefined;
  /** Of the file system that settings are applied from; ends in a slash. */
  readonly root?: string | undefined;
  /** What sources of pods tell. */
  readonly book?: PodBook | undefined;
}

/** What would become of the packets of every pod, now and later. */
export function auditNode(
  { addon, netns, root = nodeRoot(), book = NO_PODS }: NodeOptions,
  surveys: readonly NativeSurvey[],
): { pods: PodReport[]; later: Later } {
  const passages = new Passages(addon);
  const ownNetns = inodeOf('/proc/self/ns/net');
  const place = memoized((inode: number) => findPlace(inode, ownNetns));
  const files = new Files(root);
  const persistence = memoized((key: string) => findPersistence([key], root, files));
  const devices = findPodDevices({
    surveys,
    neighboursOf: memoized((inode: number) => neighboursOf(addon, inode)),
    addressesOf: book.addressesOf,
  });
  const wanted = devices.filter((device) => netns === undefined || netns.includes(device.netns));
  const audited = auditAll(wanted, surveys, passages);
  const filesNetns = netnsOfFiles(audited, ownNetns);
  const refusal = {
    place,
    persistence: (inode: number, key: string) => (inode === filesNetns ? persistence(key) : undefined),
    nameOf: book.nameOf,
  };
  return {
    pods: audited.map((one) => describePod(one, refusal)),
    later: laterOf(audited, filesNetns, { place, persistence, root }),
  };
}

/** Files are applied to the network namespace of the machine's first process. Ours is meant where pods are in it. */
function netnsOfFiles(audited: readonly Audited[], ownNetns: number | undefined): number | undefined {
  const isOurs = audited.some(({ device }) => device.netns === ownNetns);
  return isOurs ? ownNetns : (inodeOf('/proc/1/ns/net') ?? ownNetns);
}

function laterOf(
  audited: readonly Audited[],
  netns: number | undefined,
  options: {
    place: (netns: number) => CommandPlace;
    persistence: (key: string) => Persistence;
    root: string;
  },
): Later {
  if (netns !== undefined) return findLater(audited, { netns, ...options });
  return { later: [], unknown: 'below /proc it is not told which network namespace this is' };
}

function neighboursOf(addon: Pick<NativeAddon, 'neighbours'>, netns: number): NativeNeighbours {
  try {
    return addon.neighbours(netns);
  } catch {
    return { addresses: [], cut: false }; // gone since: its devices are said to be unknown
  }
}

function memoized<K, V>(work: (key: K) => V): (key: K) => V {
  const known = new Map<K, V>();
  return (key) => {
    const value = known.get(key);
    if (value !== undefined) return value;
    const fresh = work(key);
    known.set(key, fresh);
    return fresh;
  };
}
