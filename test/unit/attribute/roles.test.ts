import { expect, test } from 'vitest';
import { roleOf } from '../../../src/attribute/roles.js';

test.each([
  ['lxcabcd', 'veth', 'cilium_lxc'],
  ['lxc0123456789ab', 'netkit', 'cilium_lxc'],
  ['lxc_health', 'veth', 'cilium_health'],
  ['cilium_host', 'veth', 'cilium_host'],
  ['cilium_net', 'veth', 'cilium_net'],
  ['cilium_vxlan', 'vxlan', 'cilium_overlay'],
  ['cilium_geneve', 'geneve', 'cilium_overlay'],
  ['cilium_wg0', 'wireguard', 'cilium_wireguard'],
  ['cali0a1b2c3d4e5', 'veth', 'calico'],
  ['vxlan.calico', 'vxlan', 'calico'],
  ['wireguard.cali', 'wireguard', 'calico'],
  ['eni0123456789a', 'veth', 'eni'],
  ['vlan0123456789a', 'vlan', 'eni'],
  ['azv0a1b2c3', 'veth', 'azure'],
  ['gke0a1b2c3d', 'veth', 'gke'],
  ['oci0a1b2c3d', 'veth', 'oke'],
  ['veth1234', 'veth', 'veth'],
  ['eth0', 'veth', 'veth'],
  ['cni0', 'bridge', 'bridge'],
  ['flannel.1', 'vxlan', 'vxlan'],
  ['gnv0', 'geneve', 'geneve'],
  ['tunl0', 'ipip', 'tunnel'],
  ['eth0.100', 'vlan', 'vlan'],
  ['tap0', 'tun', 'tun'],
  ['wg0', 'wireguard', 'wireguard'],
  ['ipvl0', 'ipvlan', 'ipvlan'],
  ['macvtap0', 'macvtap', 'macvlan'],
  ['nk0', 'netkit', 'netkit'],
  ['bond0', 'bond', 'bond'],
  ['blue', 'vrf', 'vrf'],
  ['dummy0', 'dummy', 'dummy'],
  ['eth0', '', 'physical'],
  ['ifb0', 'ifb', 'unknown'],
])('%s (%s) is %s', (name, kind, role) => {
  expect(roleOf({ name, kind, flags: 0x1003, type: 1 })).toBe(role);
});

test('a name alone does not make a role', () => {
  expect(roleOf({ name: 'cali-uplink', kind: '', flags: 0x1003, type: 1 })).toBe('physical');
  expect(roleOf({ name: 'lxcbr0', kind: 'bridge', flags: 0x1003, type: 1 })).toBe('bridge');
  expect(roleOf({ name: 'cilium_vxlan', kind: 'dummy', flags: 0, type: 1 })).toBe('dummy');
});

test('loopback is known by its flag or its type, whatever it is called', () => {
  expect(roleOf({ name: 'lo', kind: '', flags: 0x9, type: 772 })).toBe('loopback');
  expect(roleOf({ name: 'renamed', kind: '', flags: 0, type: 772 })).toBe('loopback');
});
