import type { Device } from '../events.js';
import type { DropReader } from '../record/decode.js';
import { FLAGS } from '../record/layout.gen.js';
import type { LinkMap } from './links.js';
import { roleOf } from './roles.js';

/** What attribution knows beside the record. */
export interface Surroundings {
  /** Network namespace of the tracer: the one that `links` is of. Undefined where /proc does not tell. */
  readonly ownNetns: number | undefined;
  readonly links: LinkMap;
}

/**
 * The device that the packet died on. Name and the rest are those at the drop itself, read in the kernel, so a device that
 * is gone or renamed by now is still told; what has become of it since stands beside.
 */
export function attributeDevice(drop: DropReader, surroundings: Surroundings): Device {
  const netns = drop.netns === 0 ? undefined : drop.netns;
  if (!(drop.flags & FLAGS.DEVICE)) {
    const why = drop.flags & FLAGS.DEVICE_STALE ? 'stale' : 'no_device';
    return { name_unknown: why, role: 'unknown', netns };
  }
  const name = drop.device;
  const kind = drop.deviceKind;
  const hasPeer = (drop.flags & FLAGS.PEER) !== 0;
  return {
    name,
    ifindex: drop.ifindex,
    role: roleOf({ name, kind, flags: drop.deviceFlags, type: drop.deviceType }),
    kind: kind === '' ? undefined : kind,
    netns,
    ...surroundingsOf(drop.ifindex, name, netns, surroundings),
    peer_ifindex: hasPeer ? drop.peerIfindex : undefined,
    peer_netns: hasPeer ? drop.peerNetns : undefined,
    peer_name: hasPeer ? drop.peerDevice : undefined,
  };
}

/** Whether what has become of a device is still what is said of it. */
export function isCurrentDevice(device: Device, surroundings: Surroundings): boolean {
  const { name, ifindex, netns, master, current_name } = device;
  if (name === undefined || ifindex === undefined) return true;
  const now = surroundingsOf(ifindex, name, netns, surroundings);
  return now.master === master && now.current_name === current_name;
}

function surroundingsOf(
  ifindex: number,
  name: string,
  netns: number | undefined,
  { ownNetns, links }: Surroundings,
): Pick<Device, 'master' | 'current_name'> {
  const link = netns !== undefined && netns === ownNetns ? links.get(ifindex) : undefined;
  if (link === undefined) return {};
  return {
    master: links.get(link.masterIfindex)?.name,
    current_name: link.name === name ? undefined : link.name,
  };
}
