import type { Cilium, Device, Peer, PodMember } from '../../events.js';
import type { DropReader } from '../../record/decode.js';
import { hashOfName } from './hashed-names.js';
import { familyOf } from './identity.js';
import { describePeer } from './peer.js';
import { Pod } from './pod.js';
import type { PodIndex } from './pod-index.js';
import { describePod, nameOf } from './pod-member.js';
import {
  addressesOf,
  fitsDevice,
  fitsNetns,
  isCredible,
  isForeign,
  isPodDevice,
  mayOwn,
  NO_ADDRESSES,
  type Place,
  type Scene,
  type Seen,
  socketOf,
  whyUnknown,
} from './scene.js';
import { slotOf } from './versions.js';

/** Whose packet it was, and who was at the other end. */
export interface Attribution {
  readonly pod?: PodMember | undefined;
  readonly pod_unknown?: string | undefined;
  readonly peer?: Peer | undefined;
  readonly cilium?: Cilium | undefined;
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
  /** Cgroups that no pod was known of. */
  readonly #strangers = new Set<number>();

  constructor(index: PodIndex, options: AttributionOptions) {
    this.#index = index;
    this.#options = options;
  }

  /** `timeMs`: of the drop, in milliseconds since the epoch. `grounds` is filled with what the answer rests on. */
  attribute(drop: DropReader, place: Place, timeMs: number, grounds?: Grounds): Attribution {
    const { keys } = this.#index;
    keys.ask();
    const addresses = this.#index.isEmpty && !isPodDevice(place.device) ? NO_ADDRESSES : addressesOf(drop);
    const scene = this.#look({ ...place, ...addresses, socket: socketOf(drop), timeMs });
    const attribution = this.#answer(scene);
    if (grounds) this.#ground(grounds, scene);
    return attribution;
  }

  /** Whether the same question would get the same answer as when the grounds were filled. */
  isCurrent({ slots, count, sum, isLasting }: Grounds): boolean {
    return isLasting && this.#index.versions.sum(slots, count) === sum;
  }

  #ground(grounds: Grounds, { device, src, dst, socket }: Scene): void {
    const { name, ifindex, netns, peer_netns } = device;
    const hash = name === undefined ? undefined : hashOfName(name);
    grounds.count = 0;
    for (const key of [src, dst, name, hash, ifindex, netns, peer_netns, socket?.cgroup])
      if (key !== undefined) grounds.slots[grounds.count++] = slotOf(key);
    grounds.sum = this.#index.versions.sum(grounds.slots, grounds.count);
    grounds.isLasting = this.#index.keys.isLasting;
  }

  #look(seen: Seen): Scene {
    const { src, dst, socket, timeMs } = seen;
    const { keys } = this.#index;
    return {
      ...seen,
      srcPod: src === undefined ? undefined : keys.byAddress(src, timeMs),
      dstPod: dst === undefined ? undefined : keys.byAddress(dst, timeMs),
      socketPod: socket === undefined ? undefined : keys.byCgroup(socket.cgroup, timeMs),
    };
  }

  #answer(scene: Scene): Attribution {
    const { device } = scene;
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
    const bySocket = this.#tellBySocket(scene);
    if (bySocket) return bySocket;
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
    const bySocket = this.#tellBySocket(scene);
    if (bySocket) return bySocket;
    if (srcPod ?? dstPod) return this.#tellUnknown(scene);
    if (LIKELY_ROLES.has(device.role)) this.#options.onUnknown?.();
    return NOBODY;
  }

  /** One with the node's network has no address and no device of its own, but its processes make sockets. */
  #tellBySocket(scene: Scene): Attribution | undefined {
    const { socket, socketPod } = scene;
    if (socket === undefined) return undefined;
    if (socketPod) return this.#tell(socketPod, scene, socket.receives ? 'to_pod' : 'from_pod');
    if (!this.#strangers.has(socket.cgroup)) this.#meetStranger(socket.cgroup);
    return undefined;
  }

  /** Most cgroups are of no pod, so that each is asked for once only. */
  #meetStranger(cgroup: number): void {
    if (this.#strangers.size === MAX_STRANGERS) this.#strangers.clear();
    this.#strangers.add(cgroup);
    this.#options.onUnknown?.();
  }

  #tell(
    pod: Pod,
    scene: Scene,
    direction: PodMember['direction'],
    conflict?: PodMember['conflict'],
  ): Attribution {
    // Processes tell of a pod before those do who know its name.
    if (pod.facts.name === undefined) this.#options.onUnknown?.();
    const ip = direction === 'to_pod' ? scene.dst : scene.src;
    const other = direction === 'to_pod' ? scene.src : scene.dst;
    const { socket, socketPod } = scene;
    const isOther = socketPod !== pod && socket?.receives === (direction === 'from_pod');
    const otherPod =
      (direction === 'to_pod' ? scene.srcPod : scene.dstPod) ?? (isOther ? socketPod : undefined);
    return {
      pod: describePod(pod, {
        direction,
        ip,
        cgroup: socket?.cgroup,
        nodeIps: this.#index.node.ips,
        conflict,
        labels: this.#options.labels,
      }),
      peer:
        direction === undefined || other === undefined
          ? undefined
          : describePeer(this.#index, other, otherPod),
      cilium: this.#describeCilium(pod.facts.hostNetwork ? undefined : pod, scene.device),
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

/** Devices that are a pod's with many a container network, and not with others. */
const LIKELY_ROLES: ReadonlySet<Device['role']> = new Set(['veth', 'netkit', 'bridge']);
const NOBODY_TELLS: Attribution = { pod_unknown: 'nothing on this node tells of pods' };
const NOBODY: Attribution = {};
/** Two addresses, a device by name, hash and number, both network namespaces, and a cgroup. */
const MAX_KEYS = 8;
/** Containers and services of a node, several times. */
const MAX_STRANGERS = 4096;
