/*
 * The incident's topology, each place a network namespace of its own:
 *
 *   pod   eth0 10.244.3.136 ── lxcabcd ┐        ┌ cilium_net
 *                                      ├─ node ─┤ cilium_host 10.244.3.1      10.244.3.0/24 via cilium_host
 *   pod2  eth0 10.244.3.137 ── lxcabce ┘        └ eth0 192.0.2.10 ── eth0 192.0.2.1  world (203.0.113.9)
 *
 * As in Cilium's tunnel mode the lxc devices have no IPv4 address, and pod to pod traffic never reaches the node's routing:
 * tc takes it over, where Cilium uses BPF. The lab is silent: nothing in it sends a packet that nobody asked for.
 */

export const PLACES = ['world', 'node', 'pod', 'pod2'] as const;
export type Place = (typeof PLACES)[number];

export const ADDRESS = {
  pod: '10.244.3.136',
  pod2: '10.244.3.137',
  ciliumHost: '10.244.3.1',
  node: '192.0.2.10',
  gateway: '192.0.2.1',
  world: '203.0.113.9',
} as const;

export const ADDRESS6 = {
  pod: 'fd00:10:244:3::136',
  pod2: 'fd00:10:244:3::137',
  ciliumHost: 'fd00:10:244:3::1',
  node: 'fd00:192:0:2::10',
  gateway: 'fd00:192:0:2::1',
  world: 'fd00:203::9',
} as const;

/**
 * Of every device. Cilium's BPF rewrites the destination when it passes a packet on to a pod; tc's redirect does not, and
 * with one address for all there is nothing to rewrite.
 */
export const MAC = '0e:00:0a:f4:03:01';

/** Lines for `ip -batch`; `name` gives a place's network namespace. */
export function linkLines(name: (place: Place) => string): string[] {
  return [
    veth('eth0', name('world'), 'eth0', name('node')),
    veth('cilium_host', name('node'), 'cilium_net', name('node')),
    veth('lxcabcd', name('node'), 'eth0', name('pod')),
    veth('lxcabce', name('node'), 'eth0', name('pod2')),
  ];
}

/** Lines for `ip -n NETNS -batch`. */
export const ADDRESS_LINES: Readonly<Record<Place, readonly string[]>> = {
  world: [
    ...silentUp('eth0'),
    'address add 192.0.2.1/24 dev eth0',
    'address add 203.0.113.9/32 dev lo',
    'address add fd00:192:0:2::1/64 dev eth0 nodad',
    'address add fd00:203::9/128 dev lo nodad',
    'route add default via 192.0.2.10',
    'route add default via fd00:192:0:2::10',
  ],
  node: [
    ...silentUp('eth0', 'cilium_host', 'cilium_net'),
    ...['lxcabcd', 'lxcabce'].map(silentUpWithArp),
    'address add 10.244.3.1/32 dev cilium_host',
    'address add fd00:10:244:3::1/128 dev cilium_host nodad',
    'address add 192.0.2.10/24 dev eth0',
    'address add fd00:192:0:2::10/64 dev eth0 nodad',
    'route add 10.244.3.1 dev cilium_host scope link',
    'route add 10.244.3.0/24 via 10.244.3.1 dev cilium_host src 10.244.3.1',
    'route add fd00:10:244:3::/64 dev cilium_host',
    'route add default via 192.0.2.1',
    'route add default via fd00:192:0:2::1',
    // Cilium's rules and the table of its proxy. With such rules the kernel checks sources even where rp_filter is 0.
    'rule add pref 9 fwmark 0x200/0xf00 lookup 2004',
    'rule add pref 100 lookup local',
    'rule delete pref 0',
    'route add local default dev lo table 2004',
  ],
  pod: podLines(ADDRESS.pod, ADDRESS6.pod),
  pod2: podLines(ADDRESS.pod2, ADDRESS6.pod2),
};

/** Lines for `tc -n NODE -batch`: what is for a pod goes to its device, whichever way it comes. */
export const REDIRECT_LINES: readonly string[] = [
  ...['lxcabcd', 'lxcabce', 'cilium_net'].map((device) => `qdisc add dev ${device} ingress`),
  ...redirect('lxcabcd', ADDRESS.pod2, ADDRESS6.pod2, 'lxcabce'),
  ...redirect('lxcabce', ADDRESS.pod, ADDRESS6.pod, 'lxcabcd'),
  ...redirect('cilium_net', ADDRESS.pod, ADDRESS6.pod, 'lxcabcd'),
  ...redirect('cilium_net', ADDRESS.pod2, ADDRESS6.pod2, 'lxcabce'),
];

/**
 * Sysctls of every place by their path below /proc/sys/net, written before there are devices: these take over what
 * `default` says. A new network namespace takes its IPv4 settings from the host, where any of these may be set.
 */
export const QUIET_SYSCTLS: Readonly<Record<string, number>> = {
  ...inAllAndDefault('ipv4', {
    rp_filter: 0,
    accept_local: 0,
    src_valid_mark: 0,
    route_localnet: 0,
    log_martians: 0,
  }),
  // No link-local addresses (IN6_ADDR_GEN_MODE_NONE): who has one asks for routers.
  ...inAllAndDefault('ipv6', { disable_ipv6: 0, addr_gen_mode: 1 }),
};

/** Sysctls of the node, written when its devices are silent: a router joins a group on all that are not, and says so. */
export const ROUTER_SYSCTLS: Readonly<Record<string, number>> = {
  'ipv4/ip_forward': 1,
  'ipv6/conf/all/forwarding': 1,
};

function inAllAndDefault(family: string, values: Readonly<Record<string, number>>): Record<string, number> {
  const scoped = Object.entries(values).flatMap(([name, value]) =>
    ['all', 'default'].map((scope) => [`${family}/conf/${scope}/${name}`, value] as const),
  );
  return Object.fromEntries(scoped);
}

function veth(device: string, netns: string, peer: string, peerNetns: string): string {
  return `link add ${device} netns ${netns} address ${MAC} type veth peer name ${peer} netns ${peerNetns} address ${MAC}`;
}

/** Without ARP and multicast a device neither asks for neighbours nor reports IPv6 groups. */
function silentUp(...devices: string[]): string[] {
  return ['link set lo up', ...devices.map((device) => `link set ${device} arp off multicast off up`)];
}

function silentUpWithArp(device: string): string {
  return `link set ${device} multicast off up`;
}

function podLines(address: string, address6: string): string[] {
  return [
    ...silentUp('eth0'),
    `address add ${address}/32 dev eth0`,
    `address add ${address6}/128 dev eth0 nodad`,
    'route add 10.244.3.1 dev eth0 scope link',
    'route add default via 10.244.3.1',
    'route add fd00:10:244:3::1 dev eth0',
    'route add default via fd00:10:244:3::1',
  ];
}

function redirect(from: string, address: string, address6: string, to: string): string[] {
  const action = `action mirred egress redirect dev ${to}`;
  return [
    `filter add dev ${from} ingress protocol ip pref 1 u32 match ip dst ${address}/32 ${action}`,
    `filter add dev ${from} ingress protocol ipv6 pref 2 u32 match ip6 dst ${address6}/128 ${action}`,
  ];
}
