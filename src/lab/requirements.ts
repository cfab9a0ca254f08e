import { TracerError } from '../errors.js';
import type { Lab } from './lab.js';
import { firstLine } from './process.js';
import { SENDER } from './sender.js';

/** What a machine may lack: programs, or parts of its kernel. */
export type Requirement =
  | 'nft'
  | 'nft-fib'
  | 'nft-fib-forward'
  | 'iptables'
  | 'iptables-legacy'
  | 'iptables-rpfilter'
  | 'iptables-legacy-rpfilter'
  | 'ip6tables-rpfilter'
  | 'tc-bpf'
  | 'vlan-device'
  | 'udp-gso';

interface Probe {
  /** Shell commands for the node; they leave nothing behind. */
  readonly run: string;
  /** What they say where the requirement cannot be met. Any other failure is one of the lab. */
  readonly absent: RegExp;
}

const NO_PROGRAM = 'not found$';
const NOT_IN_NFT = 'Operation not supported|No such file or directory';
const NOT_IN_XTABLES =
  "Couldn't load|can't initialize|does not support|No chain/target/match|missing kernel module";

const PROBES: Readonly<Record<Requirement, Probe>> = {
  nft: nft('ip', 'drop'),
  'nft-fib': nft('inet', 'fib saddr . mark . iif oif missing drop'),
  'nft-fib-forward': nft('inet', 'fib saddr . iif oif missing drop', 'forward'), // v5.10 refuses it
  iptables: xtables('iptables', 'filter', 'FORWARD'),
  'iptables-legacy': xtables('iptables-legacy', 'filter', 'FORWARD'),
  'iptables-rpfilter': xtables('iptables', 'raw', 'PREROUTING --match rpfilter'),
  'iptables-legacy-rpfilter': xtables('iptables-legacy', 'raw', 'PREROUTING --match rpfilter'),
  'ip6tables-rpfilter': xtables('ip6tables', 'raw', 'PREROUTING --match rpfilter'),
  'tc-bpf': {
    run: `tc filter add dev lxcabce ingress pref 100 protocol all bpf direct-action bytecode '1,6 0 0 0,'
          tc filter delete dev lxcabce ingress pref 100`,
    absent: expression('No such file or directory|Operation not supported|Unknown filter'),
  },
  'vlan-device': {
    run: `ip link add link lxcabce name probe type vlan id 100
          ip link delete probe`,
    absent: expression('Unknown device type|Operation not supported'),
  },
  // Packet sockets take super-packets of UDP since v6.2. It goes to nobody's Ethernet address, so nobody answers.
  'udp-gso': {
    run: `'${SENDER}' udp --device lxcabce --dst-mac 02:00:00:00:00:01 --src 10.244.3.1 --dst 10.244.3.137 \
          --length 4000 --gso 1000 --count 1`,
    absent: expression('send: Invalid argument'),
  },
};

/** Why the lab's machine does not meet a requirement, in the words of what was tried; undefined where it does. */
export async function missing(lab: Lab, requirement: Requirement): Promise<string | undefined> {
  const { run, absent } = PROBES[requirement];
  const result = await lab.attemptInside('node', run);
  if (result.code === 0) return undefined;
  const words = firstLine(result);
  if (absent.test(words)) return `no ${requirement}: ${words}`;
  throw new TracerError('E_LAB', `cannot tell whether there is ${requirement}: ${words}`);
}

function nft(family: string, rule: string, hook = 'prerouting'): Probe {
  const chain = `chain lab { type filter hook ${hook} priority 0; ${rule}; }`;
  return {
    run: `nft 'table ${family} probe { ${chain}; }'
          nft delete table ${family} probe`,
    absent: expression(NOT_IN_NFT),
  };
}

function xtables(command: string, table: string, rule: string): Probe {
  return {
    run: `${command} --wait --table ${table} --append ${rule} --jump DROP
          ${command} --wait --table ${table} --delete ${rule} --jump DROP`,
    absent: expression(NOT_IN_XTABLES),
  };
}

function expression(words: string): RegExp {
  return new RegExp(`${words}|${NO_PROGRAM}`, 'm');
}
