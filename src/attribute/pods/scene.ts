import type { Device } from '../../events.js';
import type { DropReader } from '../../record/decode.js';
import { FLAGS } from '../../record/layout.gen.js';
import { POD_ROLES } from '../roles.js';
import { Rivals } from './claims.js';
import { hashOfName } from './hashed-names.js';
import { Pod } from './pod.js';

/** The place of the drop: what its flow has in common. */
export interface Place {
  readonly device: Device;
  /** The kernel refused the source, so the packet came in by this device. */
  readonly isRefusedSource: boolean;
}

/** What the record tells. */
export interface Seen extends Place, Addresses {
  readonly socket: Socket | undefined;
  readonly timeMs: number;
}

/** With those pods that it points to. */
export interface Scene extends Seen {
  readonly srcPod: Pod | Rivals | undefined;
  readonly dstPod: Pod | Rivals | undefined;
  readonly socketPod: Pod | undefined;
}

interface Addresses {
  readonly src?: string;
  readonly dst?: string;
}

/** The one that sent the packet, or the one that it was for. */
export interface Socket {
  /** That it was made in. */
  readonly cgroup: number;
  readonly receives: boolean;
}

export function addressesOf(drop: DropReader): Addresses {
  if ((drop.flags & (FLAGS.L3 | FLAGS.COARSE)) !== FLAGS.L3) return NO_ADDRESSES;
  return { src: drop.src, dst: drop.dst };
}

/** Undefined where there is none, or the kernel does not tell. */
export function socketOf(drop: DropReader): Socket | undefined {
  const cgroup = drop.socketCgroup;
  return cgroup === 0 ? undefined : { cgroup, receives: (drop.flags & FLAGS.SOCKET_RECEIVES) !== 0 };
}

/** One that was gone already is believed only where its address says so too. */
export function isCredible(pod: Pod, { src, dst, timeMs }: Scene): boolean {
  return pod.goneMs === undefined || timeMs <= pod.goneMs || pod.hasAddress(src) || pod.hasAddress(dst);
}

/** Whether nothing that is known of the pod's devices speaks against this one. */
export function fitsDevice({ keys }: Pod, { device: { name, ifindex } }: Scene): boolean {
  if (ifindex !== undefined && keys.ifindexes.size > 0) return keys.ifindexes.has(ifindex);
  return name === undefined || keys.devices.size === 0 || keys.devices.has(name);
}

export function fitsNetns({ keys }: Pod, netns: number | undefined): boolean {
  return netns === undefined || keys.netns.size === 0 || keys.netns.has(netns);
}

export function mayOwn(pod: Pod, scene: Scene): boolean {
  const hash = hashOfName(scene.device.name ?? '');
  if (hash !== undefined && pod.keys.hashes.size > 0 && !pod.keys.hashes.has(hash)) return false;
  return fitsDevice(pod, scene) && fitsNetns(pod, scene.device.peer_netns);
}

/** It came in from outside of the node, or off another one's link, with the address of a pod of this node. */
export function isForeign(pod: Pod, scene: Scene): boolean {
  return scene.isRefusedSource && FOREIGN_ROLES.has(scene.device.role) && !mayOwn(pod, scene);
}

/** Whether a container network gives such devices to pods only. */
export function isPodDevice({ role }: Device): boolean {
  return POD_ROLES.has(role);
}

/** Without words of the packet's own, so that many flows share them. */
export function whyUnknown({ device, srcPod, dstPod }: Scene): string {
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

/** A packet with a pod's address does not come in by these. */
const FOREIGN_ROLES: ReadonlySet<Device['role']> = new Set(['physical', 'cilium_overlay', 'vxlan', 'veth']);
/** Of a packet that cannot be read. */
export const NO_ADDRESSES: Addresses = {};
