import type { NativeTrial } from '../native.js';
import { errorWords } from './error-words.js';
import type { Feature } from './report.js';

/** Where writes to settings are seen from. */
export interface CgroupRoot {
  /** Where the hierarchy is mounted; undefined where it is not. */
  readonly path: string | undefined;
  /** false: a container's own part of it. */
  readonly isWhole: boolean;
}

/** What was found out beside the trials. */
export interface FeatureFacts {
  readonly trials: readonly NativeTrial[];
  readonly cgroupRoot: CgroupRoot;
  /** Names of this kernel's drop reasons; empty where it has none. */
  readonly reasons: ReadonlySet<string>;
  readonly namespaces: { readonly found: number; readonly entered: number };
  /** Processes of others, and of how many the program can be told. */
  readonly processes: { readonly seen: number; readonly readable: number };
}

/** What this kernel and these privileges allow, and what it costs where they do not. In the order of importance. */
export function describeFeatures(facts: FeatureFacts): Feature[] {
  const trials = new Map(facts.trials.map((trial) => [trial.name, trial]));
  const tried = TRIED.flatMap((one) => {
    const trial = trials.get(one.name);
    return trial ? [fromTrial(trial, one, facts)] : [];
  });
  return [...tried.map((feature) => refine(feature, facts)), reasonsFeature(facts), ...aroundFeatures(facts)];
}

interface Tried {
  readonly name: string;
  readonly cost: string;
  readonly detail?: (trial: NativeTrial) => string;
  /** Whether anything uses it on this kernel; something always does where this is not given. */
  readonly isNeeded?: (facts: FeatureFacts) => boolean;
}

/** Any of these sees refused sources, and any of those what rp_filter refused: in the order of native/core/rpf_hooks.c. */
const REFUSED_HOOKS = ['fentry/ip_handle_martian_source', 'kprobe/ip_handle_martian_source'] as const;
const RESULT_HOOKS = [
  'counter/IPReversePathFilter',
  'fexit/fib_validate_source',
  'fexit/ip_route_input_noref',
  'kretprobe/fib_validate_source',
] as const;

const TRIED: readonly Tried[] = [
  { name: 'btf', cost: 'nothing can be traced: the programs are fitted to this kernel by it' },
  {
    name: 'tp_btf/kfree_skb',
    cost: 'nothing can be traced: no drop is seen',
    detail: ({ detail }) => `${detail} arguments`,
  },
  { name: 'ringbuf', cost: 'nothing can be traced: there is no way from the kernel to the program' },
  {
    name: 'bpf_rdonly_cast',
    cost: 'kernel memory is read by bpf_probe_read_kernel, which lockdown=confidentiality forbids',
  },
  {
    name: 'bpf_probe_read_kernel',
    cost: 'nothing can be traced where there is no bpf_rdonly_cast either',
    isNeeded: ({ trials }) => trials.some(({ name, errno }) => name === 'bpf_rdonly_cast' && errno !== 0),
  },
  {
    name: 'cgroup/sysctl',
    cost: 'that a setting was changed is found by reading it again; who changed it is not told',
  },
  {
    name: 'cgroup/sysctl pid',
    cost: 'who changed a setting is not told, or not by its process',
  },
  {
    name: 'tp_btf/fib_table_lookup',
    cost: 'the route back is asked for just after a drop, instead of being seen as the kernel used it',
  },
  { name: 'netlink', cost: 'devices are told as they were at the drop only, and routes are not known' },
  ...REFUSED_HOOKS.map((name) => ({
    name,
    cost: 'ARP requests that get no answer because of their source make no event; where the kernel has no reason for a refused source, settings and routes have to prove it',
    isNeeded: ({ trials }: FeatureFacts) => name === takenOf(REFUSED_HOOKS, trials),
  })),
  ...RESULT_HOOKS.map((name) => ({
    name,
    cost: 'what rp_filter refuses is told by settings and routes: this kernel has no drop reason for it',
    isNeeded: ({ trials, reasons }: FeatureFacts) =>
      !reasons.has('IP_RPFILTER') && name === takenOf(RESULT_HOOKS, trials),
  })),
];

/** The one that a trace attaches: the first that the kernel takes. Where it takes none, the first is what is missing. */
function takenOf(hooks: readonly string[], trials: readonly NativeTrial[]): string | undefined {
  return hooks.find((hook) => trials.some(({ name, errno }) => name === hook && errno === 0)) ?? hooks[0];
}

function fromTrial(trial: NativeTrial, { cost, detail, isNeeded }: Tried, facts: FeatureFacts): Feature {
  const { name, errno, step } = trial;
  const unused = isNeeded?.(facts) === false ? true : undefined;
  if (errno === 0) return { name, state: 'available', unused, detail: detail?.(trial) };
  return { name, state: 'unavailable', unused, why: `${WORDS[step]}${errorWords(errno)}`, cost };
}

const WORDS: Readonly<Record<NativeTrial['step'], string>> = {
  '': '',
  find: 'not in this kernel’s BTF, or BTF cannot be read: ',
  load: 'loading it: ',
  attach: 'attaching it: ',
};

/** What works, and yet does not give all that it could. */
function refine(feature: Feature, { cgroupRoot, trials }: FeatureFacts): Feature {
  if (feature.state !== 'available') return feature;
  if (feature.name === 'cgroup/sysctl' && cgroupRoot.path !== undefined && !cgroupRoot.isWhole) {
    return {
      ...feature,
      state: 'partial',
      detail: `at ${cgroupRoot.path}`,
      why: `${cgroupRoot.path} is not the root of the cgroup v2 hierarchy`,
      cost: 'only writers in this container are seen; mount the host’s /sys/fs/cgroup (hostPath) to see all',
    };
  }
  if (feature.name === 'cgroup/sysctl')
    return { ...feature, detail: `at ${cgroupRoot.path ?? 'a mount of its own'}` };
  const kfreeSkb = trials.find(({ name }) => name === 'tp_btf/kfree_skb');
  if (feature.name === 'tp_btf/kfree_skb' && kfreeSkb !== undefined && kfreeSkb.detail < 3) {
    return {
      ...feature,
      state: 'partial',
      why: 'the tracepoint of this kernel gives no reason (5.17 and newer do)',
      cost: withoutReasons(trials),
    };
  }
  return feature;
}

function reasonsFeature({ reasons, trials }: FeatureFacts): Feature {
  const name = 'drop reasons';
  if (reasons.has('IP_LOCAL_SOURCE')) return { name, state: 'available', detail: `${reasons.size} names` };
  if (reasons.has('IP_RPFILTER')) {
    return {
      name,
      state: 'partial',
      detail: `${reasons.size} names`,
      why: 'of refused sources only IP_RPFILTER has a reason of its own (6.13 and newer have all)',
      cost: 'other refused sources are told by settings and routes',
    };
  }
  return {
    name,
    state: 'unavailable',
    why:
      reasons.size === 0
        ? 'this kernel has no drop reasons, or its BTF cannot be read'
        : 'IP_RPFILTER is not among them',
    cost: withoutReasons(trials),
  };
}

/** A hook may stand in for the reasons that decide about sources. */
function withoutReasons(trials: readonly NativeTrial[]): string {
  const hook = RESULT_HOOKS.find((name) => trials.some((trial) => trial.name === name && trial.errno === 0));
  return hook
    ? `only refused sources have one, by ${hook}; why others are dropped is not told`
    : 'why packets are dropped is not told, refused sources are told by settings and routes alone, and drops are not held against the kernel’s counter';
}

function aroundFeatures({ namespaces, processes }: FeatureFacts): Feature[] {
  const { found, entered } = namespaces;
  const detail = `${entered} of ${found}`;
  return [
    entered === found
      ? { name: 'network namespaces', state: 'available', detail }
      : {
          name: 'network namespaces',
          state: 'partial',
          detail,
          why: 'the others may not be entered (CAP_SYS_ADMIN), or were gone',
          cost: 'their devices are not looked at here, and their counters not held against the drops',
        },
    processesFeature(processes),
  ];
}

function processesFeature({ seen, readable }: FeatureFacts['processes']): Feature {
  const name = 'programs of processes';
  const detail = `${readable} of ${seen}`;
  const cost = 'of who writes a setting only what the kernel’s own record holds is told';
  if (seen === 0) return { name, state: 'unavailable', why: 'no other process is to be seen in /proc', cost };
  if (readable === seen) return { name, state: 'available', detail };
  return {
    name,
    state: readable === 0 ? 'unavailable' : 'partial',
    detail,
    why: 'permission denied for the others (CAP_SYS_PTRACE, or a security module)',
    cost,
  };
}
