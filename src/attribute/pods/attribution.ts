import type { Cilium, Device, Peer, PodMember } from '../../events.js';
import type { DropReader } from '../../record/decode.js';
import { FLAGS } from '../../record/layout.gen.js';
import { POD_ROLES } from '../roles.js';
import { Rivals } from './claims.js';
import { hashOfName } from './hashed-names.js';
import { familyOf } from './identity.js';
import { describePeer } from './peer.js';
import { Pod } from './pod.js';
import type { PodIndex } from './pod-index.js';
import { slotOf } from './versions.js';

/** Whose packet it was, and who was at the other end. */
export interface Attribution {
  readonly pod?: PodMember | undefined;
  readonly pod_unknown?: string | undefined;
  readonly peer?: Peer | undefined;
  readonly cilium?: Cilium | undefined;
}

/** The place of the drop: what its flow has in common. */
export interface Place {
  readonly device: Device;
  /** The kernel refused the source, so the packet came in by this device. */
  readonly isRefusedSource: boolean;
}

export interface AttributionOptions {
  readonly labels?: boolean | undefined;
  /** Whether anybody could know pods. */
  readonly hasSources: () => boolean;
  /** A drop was a pod's that nobody knows. */
  readonly onUnknown?: () => void;
}

/** What an answer rests on, so that it need not be asked for again as long as that stays. Made once per flow. */
export class Grounds {
  readonly slots = new Int32Array(MAX_KEYS);
  count = 0;
  sum = 0;
  /** Whether it holds for later drops of the flow too. */
  isLasting = false;
}

/** Answers for drops out of the index. At once: nothing is asked outside of this process. */
export class PodAttributor {
  readonly #index: PodIndex;
  readonly #options: AttributionOptions;

  constructor(index: PodIndex, options: AttributionOptions) {
    this.#index = index;
    this.#options = options;
  }

  /** `timeMs`: of the drop, in milliseconds since the epoch. `grounds` is filled with what the answer rests on. */
  attribute(drop: DropReader, place: Place, timeMs: number, grounds?: Grounds): Attribution {
    const { keys } = this.#index;
    keys.ask();
    const { src, dst } = this.#index.isEmpty && !isPodDevice(place.device) ? NO_ADDRESSES : addressesOf(drop);
    const attribution = this.#answer(place, src, dst, timeMs);
    if (grounds) this.#ground(grounds, place.device, src, dst);
    return attribution;
  }

  /** Whether the same question would get the same answer as when the grounds were filled. */
  isCurrent({ slots, count, sum, isLasting }: Grounds): boolean {
    return isLasting && this.#index.versions.sum(slots, count) === sum;
  }

  #ground(grounds: Grounds, device: Device, src: string | undefined, dst: string | undefined): void {
    const hash = device.name === undefined ? undefined : hashOfName(device.name);
    grounds.count = 0;
    for (const key of [src, dst, device.name, hash, device.ifindex, device.netns, device.peer_netns])
      if (key !== undefined) grounds.slots[grounds.count++] = slotOf(key);
    grounds.sum = this.#index.versions.sum(grounds.slots, grounds.count);
    grounds.isLasting = this.#index.keys.isLasting;
  }

  #answer(place: Place, src: string | undefined, dst: string | undefined, timeMs: number): Attribution {
    const { device } = place;
    const scene: Scene = {
      ...place,
      src,
      dst,
      srcPod: src === undefined ? undefined : this.#index.keys.byAddress(src, timeMs),
      dstPod: dst === undefined ? undefined : this.#index.keys.byAddress(dst, timeMs),
      timeMs,
    };
    const inside = this.#holderOf(device.netns, scene);
    if (inside) return this.#tellInside(inside, scene);
    const outside = this.#ownerOf(scene);
    if (outside) return this.#tellOutside(outside, scene);
    if (isPodDevice(device)) return this.#tellByAddressOnPodDevice(scene);
    return this.#tellByAddress(scene);
  }

  /** The pod in whose network namespace the packet died. Inode numbers are given again soon. */
  #holderOf(netns: number | undefined, scene: Scene): Pod | undefined {
    if (netns === undefined) return undefined;
    const pod = this.#index.keys.byNetns(netns, scene.timeMs);
    return pod && isCredible(pod, scene) ? pod : undefined;
  }

  /** The pod whose device in the host it is: by the network namespace of its other end, or by its name and number. */
  #ownerOf(scene: Scene): Pod | undefined {
    const { name, ifindex, peer_netns } = scene.device;
    const behind = this.#holderOf(peer_netns, scene);
    if (behind && fitsDevice(behind, scene)) return behind;
    if (name === undefined || ifindex === undefined) return undefined;
    const owner = this.#index.keys.byDevice(name, ifindex, scene.timeMs);
    return owner && isCredible(owner, scene) && fitsNetns(owner, peer_netns) ? owner : undefined;
  }

  #tellInside(pod: Pod, scene: Scene): Attribution {
    if (scene.src === undefined) return this.#tell(pod, scene, undefined);
    return this.#tell(pod, scene, pod.hasAddress(scene.src) ? 'from_pod' : 'to_pod');
  }

  #tellOutside(pod: Pod, scene: Scene): Attribution {
    const { src, dst, srcPod } = scene;
    if (src === undefined) return this.#tell(pod, scene, undefined);
    if (pod.hasAddress(src)) return this.#tell(pod, scene, 'from_pod');
    if (pod.hasAddress(dst)) return this.#tell(pod, scene, 'to_pod');
    if (!(srcPod instanceof Pod)) return this.#tell(pod, scene, 'from_pod');
    return this.#tell(pod, scene, 'from_pod', { kind: 'address', ...nameOf(srcPod), source: srcPod.source });
  }

  /** A pod's device, and nobody knows whose: the address may tell, unless its pod is known to have another device. */
  #tellByAddressOnPodDevice(scene: Scene): Attribution {
    const { srcPod, dstPod } = scene;
    if (srcPod instanceof Pod && mayOwn(srcPod, scene)) return this.#tell(srcPod, scene, 'from_pod');
    if (dstPod instanceof Pod && mayOwn(dstPod, scene)) return this.#tell(dstPod, scene, 'to_pod');
    this.#options.onUnknown?.();
    return this.#tellUnknown(scene);
  }

  #tellByAddress(scene: Scene): Attribution {
    const { srcPod, dstPod, device } = scene;
    if (srcPod instanceof Pod) {
      const conflict = isForeign(srcPod, scene)
        ? { kind: 'device' as const, device: device.name }
        : undefined;
      return this.#tell(srcPod, scene, 'from_pod', conflict);
    }
    if (dstPod instanceof Pod) return this.#tell(dstPod, scene, 'to_pod');
    if (srcPod ?? dstPod) return this.#tellUnknown(scene);
    if (LIKELY_ROLES.has(device.role)) this.#options.onUnknown?.();
    return NOBODY;
  }

  #tell(
    pod: Pod,
    scene: Scene,
    direction: PodMember['direction'],
    conflict?: PodMember['conflict'],
  ): Attribution {
    // Processes tell of a pod before those do who know its name.
    if (pod.facts.name === undefined) this.#options.onUnknown?.();
    const own = direction === 'to_pod' ? scene.dst : scene.src;
    const other = direction === 'to_pod' ? scene.src : scene.dst;
    const otherPod = direction === 'to_pod' ? scene.srcPod : scene.dstPod;
    return {
      pod: this.#describe(pod, direction, own, conflict),
      peer:
        direction === undefined || other === undefined
          ? undefined
          : describePeer(this.#index, other, otherPod),
      cilium: this.#describeCilium(pod, scene.device),
    };
  }

  #tellUnknown(scene: Scene): Attribution {
    const { device, srcPod, dst } = scene;
    if (!this.#options.hasSources()) return NOBODY_TELLS;
    return {
      pod_unknown: whyUnknown(scene),
      peer: srcPod || dst === undefined ? undefined : describePeer(this.#index, dst, undefined),
      cilium: this.#describeCilium(undefined, device),
    };
  }

  /** The same object as long as nothing else is known of the pod: sinks keep its text. */
  #describe(
    pod: Pod,
    direction: PodMember['direction'],
    ip: string | undefined,
    conflict: PodMember['conflict'],
  ): PodMember {
    const own = pod.hasAddress(ip) ? ip : firstOf(pod, ip);
    const key = `${direction} ${own}`;
    const known = pod.told.get(key);
    if (known && !conflict) return known;
    const { workload, labels, containers } = pod.facts;
    const named = containers?.flatMap(({ name }) => name ?? []) ?? [];
    const member: PodMember = {
      ...nameOf(pod),
      ip: own,
      workload,
      container: named.length === 1 ? named[0] : undefined,
      labels: this.#options.labels ? labels : undefined,
      direction,
      source: pod.source,
      conflict,
    };
    if (!conflict) pod.told.set(key, member);
    return member;
  }

  #describeCilium(pod: Pod | undefined, { role }: Device): Cilium | undefined {
    const { hostDevice, routingMode } = this.#index.node;
    const { cilium } = pod?.facts ?? {};
    if (cilium === undefined && !(hostDevice && (pod || role.startsWith('cilium')))) return undefined;
    const family = familyOf(pod ? (([...pod.keys.addresses][0] as string | undefined) ?? '') : '');
    const { name, ifindex, ips = [] } = hostDevice ?? {};
    return {
      endpoint_id: cilium?.endpointId,
      identity: cilium?.identity,
      host_device:
        name === undefined ? undefined : { name, ifindex, ip: ips.find((ip) => familyOf(ip) === family) },
      routing_mode: routingMode,
    };
  }
}

interface Scene extends Place {
  readonly src: string | undefined;
  readonly dst: string | undefined;
  readonly srcPod: Pod | Rivals | undefined;
  readonly dstPod: Pod | Rivals | undefined;
  readonly timeMs: number;
}

interface Addresses {
  readonly src?: string;
  readonly dst?: string;
}

function addressesOf(drop: DropReader): Addresses {
  if ((drop.flags & (FLAGS.L3 | FLAGS.COARSE)) !== FLAGS.L3) return NO_ADDRESSES;
  return { src: drop.src, dst: drop.dst };
}

/** One that was gone already is believed only where its address says so too. */
function isCredible(pod: Pod, { src, dst, timeMs }: Scene): boolean {
  return pod.goneMs === undefined || timeMs <= pod.goneMs || pod.hasAddress(src) || pod.hasAddress(dst);
}

/** Whether nothing that is known of the pod's devices speaks against this one. */
function fitsDevice({ keys }: Pod, { device: { name, ifindex } }: Scene): boolean {
  if (ifindex !== undefined && keys.ifindexes.size > 0) return keys.ifindexes.has(ifindex);
  return name === undefined || keys.devices.size === 0 || keys.devices.has(name);
}

function fitsNetns({ keys }: Pod, netns: number | undefined): boolean {
  return netns === undefined || keys.netns.size === 0 || keys.netns.has(netns);
}

function mayOwn(pod: Pod, scene: Scene): boolean {
  const hash = hashOfName(scene.device.name ?? '');
  if (hash !== undefined && pod.keys.hashes.size > 0 && !pod.keys.hashes.has(hash)) return false;
  return fitsDevice(pod, scene) && fitsNetns(pod, scene.device.peer_netns);
}

/** It came in from outside of the node, or off another one's link, with the address of a pod of this node. */
function isForeign(pod: Pod, scene: Scene): boolean {
  return scene.isRefusedSource && FOREIGN_ROLES.has(scene.device.role) && !mayOwn(pod, scene);
}

function isPodDevice({ role }: Device): boolean {
  return POD_ROLES.has(role);
}

/** Without words of the packet's own, so that many flows share them. */
function whyUnknown({ device, srcPod, dstPod }: Scene): string {
  const known = srcPod ?? dstPod;
  if (known instanceof Rivals)
    return `its address went from one to another of ${pathsOf(known.pods)} at about that time`;
  if (known instanceof Pod)
    return `its address is that of ${pathsOf([known])}, which has another device: forged, or of a pod that was not seen yet`;
  return `no source knows a pod with device ${device.name ?? '?'} or with this address`;
}

function pathsOf(pods: readonly Pod[]): string {
  return pods.map(({ facts }) => `${facts.namespace ?? '?'}/${facts.name ?? facts.uid ?? '?'}`).join(', ');
}

function nameOf({ facts: { namespace, name, uid } }: Pod): Pick<PodMember, 'namespace' | 'name' | 'uid'> {
  return { namespace, name, uid };
}

function firstOf(pod: Pod, like: string | undefined): string | undefined {
  const all = [...pod.keys.addresses] as string[];
  return all.find((ip) => like === undefined || familyOf(ip) === familyOf(like)) ?? all[0];
}

/** A packet with a pod's address does not come in by these. */
const FOREIGN_ROLES: ReadonlySet<Device['role']> = new Set(['physical', 'cilium_overlay', 'vxlan', 'veth']);
/** Devices that are a pod's with many a container network, and not with others. */
const LIKELY_ROLES: ReadonlySet<Device['role']> = new Set(['veth', 'netkit', 'bridge']);
const NOBODY_TELLS: Attribution = { pod_unknown: 'nothing on this node tells of pods' };
const NOBODY: Attribution = {};
const NO_ADDRESSES: Addresses = {};
/** Two addresses, a device by name, hash and number, and both network namespaces. */
const MAX_KEYS = 7;
