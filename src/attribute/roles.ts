import type { DeviceRole } from '../events.js';

/** What a device says of itself. */
export interface DeviceTraits {
  readonly name: string;
  /** rtnl_link_ops->kind; empty for hardware. */
  readonly kind: string;
  /** IFF_* */
  readonly flags: number;
  /** ARPHRD_* */
  readonly type: number;
}

/** Who a device works for, by the names that the container networks give, else what it is. */
export function roleOf(device: DeviceTraits): DeviceRole {
  if (device.flags & IFF_LOOPBACK || device.type === ARPHRD_LOOPBACK) return 'loopback';
  return ownerOf(device) ?? KINDS.get(device.kind) ?? 'unknown';
}

function ownerOf({ name, kind }: DeviceTraits): DeviceRole | undefined {
  return OWNERS.find((owner) => owner.kinds.includes(kind) && owner.name.test(name))?.role;
}

/** Roles that a container network gives to a pod's device in the host. */
export const POD_ROLES: ReadonlySet<DeviceRole> = new Set([
  'cilium_lxc',
  'calico',
  'eni',
  'azure',
  'gke',
  'oke',
]);

interface Owner {
  readonly role: DeviceRole;
  readonly name: RegExp;
  readonly kinds: readonly string[];
}

const PAIRS = ['veth', 'netkit'];

/** The first that fits. A name alone is not enough: anybody may call a device "cali-uplink". */
const OWNERS: readonly Owner[] = [
  { role: 'cilium_health', name: /^(lxc_health|cilium_health)$/, kinds: PAIRS },
  { role: 'cilium_lxc', name: /^lxc/, kinds: PAIRS },
  { role: 'cilium_host', name: /^cilium_host$/, kinds: [...PAIRS, 'dummy'] },
  { role: 'cilium_net', name: /^cilium_net$/, kinds: [...PAIRS, 'dummy'] },
  { role: 'cilium_overlay', name: /^cilium_(vxlan|geneve)$/, kinds: ['vxlan', 'geneve'] },
  { role: 'cilium_wireguard', name: /^cilium_wg\d+$/, kinds: ['wireguard'] },
  { role: 'calico', name: /^cali[0-9a-f]/, kinds: PAIRS },
  { role: 'calico', name: /^(vxlan|vxlan-v6|wireguard|wg-v6)\.cali(co)?$/, kinds: ['vxlan', 'wireguard'] },
  { role: 'eni', name: /^eni[0-9a-f]{11}$/, kinds: PAIRS },
  { role: 'eni', name: /^vlan[0-9a-f]{11}$/, kinds: ['vlan', ...PAIRS] },
  { role: 'azure', name: /^azv/, kinds: PAIRS },
  { role: 'gke', name: /^gke[0-9a-f]/, kinds: PAIRS },
  { role: 'oke', name: /^oci/, kinds: [...PAIRS, 'ipvlan'] },
];

/** By rtnl_link_ops->kind. Hardware has none. */
const KINDS = new Map<string, DeviceRole>([
  ['', 'physical'],
  ['veth', 'veth'],
  ['netkit', 'netkit'],
  ['bridge', 'bridge'],
  ['vxlan', 'vxlan'],
  ['geneve', 'geneve'],
  ['vlan', 'vlan'],
  ['tun', 'tun'],
  ['wireguard', 'wireguard'],
  ['ipvlan', 'ipvlan'],
  ['ipvtap', 'ipvlan'],
  ['macvlan', 'macvlan'],
  ['macvtap', 'macvlan'],
  ['bond', 'bond'],
  ['team', 'bond'],
  ['vrf', 'vrf'],
  ['dummy', 'dummy'],
  ...['ipip', 'ip6tnl', 'sit', 'gre', 'gretap', 'ip6gre', 'ip6gretap', 'erspan', 'vti', 'vti6', 'xfrm'].map(
    (kind) => [kind, 'tunnel'] as const,
  ),
]);

/** include/uapi/linux/if.h and if_arp.h */
const IFF_LOOPBACK = 1 << 3;
const ARPHRD_LOOPBACK = 772;
