import type { Place } from './topology.js';

/** A change to the lab as shell commands, with the commands that take it back. */
export interface Step {
  readonly in: Place;
  readonly run: string;
  readonly undo: string;
}

/** Sysctls of the node by their path below /proc/sys/net/ipv4, which are 0 in a new lab. */
export function sysctl(values: Readonly<Record<string, number>>): Step {
  return { in: 'node', run: sysctlScript(Object.entries(values)), undo: resetScript(Object.keys(values), 0) };
}

/** net.ipv4.ip_forward, which is 1 in a new lab. */
export const NO_FORWARDING: Step = {
  in: 'node',
  run: sysctlScript([['ip_forward', 0]]),
  undo: resetScript(['ip_forward'], 1),
};

/** rp_filter of the node's `all`, and of devices. */
export function rpFilter(all: number, devices: Readonly<Record<string, number>> = {}): Step {
  const scopes = Object.entries({ all, ...devices });
  return sysctl(Object.fromEntries(scopes.map(([scope, value]) => [`conf/${scope}/rp_filter`, value])));
}

/** A route of the node, as after `ip route add`. */
export function route(route: string): Step {
  return { in: 'node', run: `ip route add ${route}`, undo: `ip route delete ${route}` };
}

export const NO_DEFAULT_ROUTE: Step = {
  in: 'node',
  run: 'ip route delete default via 192.0.2.1',
  undo: 'ip route add default via 192.0.2.1',
};

/** An IPv4 address on one of the node's devices. */
export function address(address: string, device: string): Step {
  return {
    in: 'node',
    run: `ip address add ${address} dev ${device}`,
    undo: `ip address delete ${address} dev ${device}`,
  };
}

/** A chain of the node, with its only rule. `hook` as in nft(8). */
export function nftRule(family: 'ip' | 'ip6' | 'inet' | 'netdev', hook: string, rule: string): Step {
  const chain = `chain lab { type filter hook ${hook}; ${rule}; }`;
  return {
    in: 'node',
    run: `nft 'table ${family} rpftrace_lab { ${chain}; }'`,
    undo: `nft delete table ${family} rpftrace_lab`,
  };
}

/** A table of the node; `chains` as in nft(8). */
export function nftTable(family: 'ip' | 'ip6' | 'inet', chains: string): Step {
  return {
    in: 'node',
    run: `nft 'table ${family} rpftrace_lab { ${chains}; }'`,
    undo: `nft delete table ${family} rpftrace_lab`,
  };
}

/** A chain of the node in iptables' table raw, with its rules, that PREROUTING jumps to. */
export function iptablesChain(command: XtablesCommand, chain: string, rules: readonly string[]): Step {
  const words = `${command} --wait --table raw`;
  return {
    in: 'node',
    run: [
      `${words} --new-chain ${chain}`,
      ...rules.map((rule) => `${words} --append ${chain} ${rule}`),
      `${words} --append PREROUTING --jump ${chain}`,
    ].join('\n'),
    undo: [
      `${words} --delete PREROUTING --jump ${chain}`,
      `${words} --flush ${chain}`,
      `${words} --delete-chain ${chain}`,
    ].join('\n'),
  };
}

export type XtablesCommand = 'iptables' | 'iptables-legacy' | 'ip6tables';

/** A rule of the node, as after `iptables -A`. */
export function iptablesRule(command: XtablesCommand, table: string, rule: string): Step {
  const words = `${command} --wait --table ${table}`;
  return { in: 'node', run: `${words} --append ${rule}`, undo: `${words} --delete ${rule}` };
}

/** tc on lxcabcd throws everything away: classic BPF that returns TC_ACT_SHOT. */
export const TC_DROPS_ALL: Step = {
  in: 'node',
  run: "tc filter add dev lxcabcd ingress pref 100 protocol all bpf direct-action bytecode '1,6 0 0 2,'",
  undo: 'tc filter delete dev lxcabcd ingress pref 100',
};

/** Long frames between pod and lxcabcd: only these can have headers outside of the linear data. */
export const JUMBO_FRAMES: readonly Step[] = (
  [
    ['node', 'lxcabcd'],
    ['pod', 'eth0'],
  ] as const
).map(([place, device]) => ({
  in: place,
  run: `ip link set ${device} mtu 9000`,
  undo: `ip link set ${device} mtu 1500`,
}));

function resetScript(paths: readonly string[], value: number): string {
  return sysctlScript(paths.map((path) => [path, value]));
}

function sysctlScript(values: readonly (readonly [string, number])[]): string {
  return values.map(([path, value]) => `echo ${value} > /proc/sys/net/ipv4/${path}`).join('\n');
}
