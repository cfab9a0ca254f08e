import { readFileSync } from 'node:fs';

/** Every capability that rpftrace has a use for, the most important first. docs/privileges.md has the same table. */
export const CAPABILITIES = [
  {
    name: 'CAP_BPF',
    bit: 39,
    used_for: 'loading the programs',
    without: 'nothing can be traced, unless there is CAP_SYS_ADMIN',
  },
  {
    name: 'CAP_PERFMON',
    bit: 38,
    used_for: 'reading kernel memory in them, and attaching to tracepoints',
    without: 'nothing can be traced, unless there is CAP_SYS_ADMIN',
  },
  {
    name: 'CAP_NET_ADMIN',
    bit: 12,
    used_for: 'watching who writes settings (cgroup/sysctl), and reading the rules of netfilter',
    without: 'who changed a setting is not told, nor which rule of netfilter checks the reverse path',
  },
  {
    name: 'CAP_SYS_ADMIN',
    bit: 21,
    used_for: 'entering other network namespaces; stands in for CAP_BPF and CAP_PERFMON',
    without: 'routes, settings, rules and counters of other network namespaces are not known',
  },
  {
    name: 'CAP_SYS_PTRACE',
    bit: 19,
    used_for: 'reading programs and namespaces of other users’ processes',
    without:
      'of who changes a setting only what the kernel’s own record holds is told, and other network namespaces are found by their names under /run/netns only',
  },
  {
    name: 'CAP_DAC_READ_SEARCH',
    bit: 2,
    used_for: 'reading files that only their owner may read',
    without: 'files of other users that set rp_filter, or name pods, are not read',
  },
  {
    name: 'CAP_DAC_OVERRIDE',
    bit: 1,
    used_for: 'asking at sockets of others, and writing files into folders of others',
    without: 'where it is not root that runs it, Cilium and the container runtime cannot be asked for pods',
  },
  {
    name: 'CAP_SYS_RESOURCE',
    bit: 24,
    used_for: 'raising the limit of locked memory, on kernels before 5.11',
    without: 'there the limit must be high enough already',
  },
  {
    name: 'CAP_SYSLOG',
    bit: 34,
    used_for: 'reading the names of kernel functions, on kernels before 5.13',
    without:
      'there the function that dropped a packet is told by its address where kernel.kptr_restrict hides it',
  },
] as const;

export type CapabilityName = (typeof CAPABILITIES)[number]['name'];

/** Those of the table that this process has in effect; all of them where the kernel does not tell. */
export function readHeld(root = '/'): ReadonlySet<CapabilityName> {
  const effective = effectiveSet(root);
  const held = CAPABILITIES.filter(
    ({ bit }) => effective === undefined || ((effective >> BigInt(bit)) & 1n) === 1n,
  );
  return new Set(held.map(({ name }) => name));
}

/** As a set of bits. */
export function bitsOf(names: readonly CapabilityName[]): bigint {
  const bits = CAPABILITIES.filter(({ name }) => names.includes(name)).map(({ bit }) => 1n << BigInt(bit));
  return bits.reduce((set, bit) => set | bit, 0n);
}

function effectiveSet(root: string): bigint | undefined {
  try {
    const status = readFileSync(`${root}proc/self/status`, 'utf8');
    const digits = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1];
    return digits === undefined ? undefined : BigInt(`0x${digits}`);
  } catch {
    return undefined;
  }
}
