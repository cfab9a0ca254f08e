import type { StartEvent } from '../events.js';
import type { CapabilityName } from './capabilities.js';

type Degraded = StartEvent['degraded'][number];

/** What is not told for want of capabilities while all hooks are there. `isRoot`: files of root can be read without any. */
export function lacksOf(held: ReadonlySet<CapabilityName>, isRoot: boolean): Degraded[] {
  return LACKS.filter(({ missing, unlessRoot }) => !held.has(missing) && !(isRoot && unlessRoot)).map(
    ({ feature, why, missing }) => ({ feature, why, missing: [missing] }),
  );
}

/** Whose want may be why a hook was refused with EPERM; undefined where it was something else. */
export function missingFor(
  errno: number,
  needed: CapabilityName,
  held: ReadonlySet<CapabilityName>,
): { missing: string[] } | undefined {
  const standsIn = needed === 'CAP_NET_ADMIN' && held.has('CAP_SYS_ADMIN');
  const isRefused = Math.abs(errno) === EPERM && !held.has(needed) && !standsIn;
  return isRefused ? { missing: [needed] } : undefined;
}

interface Lack {
  readonly missing: CapabilityName;
  readonly feature: string;
  readonly why: string;
  readonly unlessRoot?: true;
}

const LACKS: readonly Lack[] = [
  {
    missing: 'CAP_NET_ADMIN',
    feature: 'netfilter_rules',
    why: 'rules of netfilter cannot be read: which of them checks the reverse path is not told',
  },
  {
    missing: 'CAP_SYS_ADMIN',
    feature: 'other_namespaces',
    why: 'other network namespaces cannot be entered: of drops there the route back, the counters and what changed are not read',
  },
  {
    missing: 'CAP_SYS_PTRACE',
    feature: 'other_processes',
    why: 'other users’ processes cannot be looked into: of who changes a setting the program is not told, and pods are not found by their processes',
  },
  {
    missing: 'CAP_DAC_READ_SEARCH',
    feature: 'other_files',
    unlessRoot: true,
    why: 'files that only their owner may read are not read: some that set rp_filter or name pods may be among them',
  },
];

const EPERM = 1;
