import { join } from 'node:path';
import { root } from '../../scripts/lib/command.mjs';
import { accountOfLines, accountOfMap, accountOfPrints } from './account.mjs';
import { bpftraceVersion } from './machine.mjs';

/**
 * The tracers that are compared. `command` gives the words that start one, `account` what it knows of the drops of a flood,
 * `quietMs` how long it may be silent with drops in hand. `isOurs`: every drop must be accounted for.
 */
export const CASES = {
  default: {
    title: 'rpftrace',
    isOurs: true,
    quietMs: 1300, // the counts of flows come out once a second
    command: (trace, toFile) => rpftrace(trace, toFile),
    account: accountOfLines,
  },
  every: {
    title: 'rpftrace --every',
    isOurs: true,
    isStream: true,
    quietMs: 300,
    command: (trace, toFile) => rpftrace(trace, toFile, '--every'),
    account: accountOfLines,
  },
  'every-pods': {
    title: 'rpftrace --every, 500 pods',
    isOurs: true,
    isStream: true,
    quietMs: 300,
    command: (trace, toFile) => rpftrace(trace, toFile, '--every', '--cilium-socket', trace.agent),
    account: accountOfLines,
  },
  'bpftrace-count': {
    title: 'bpftrace count',
    quietMs: 100,
    ...bpftrace('@[ksym(args->location), args->reason] = count();'),
    account: accountOfMap,
  },
  'bpftrace-print': {
    title: 'bpftrace print',
    isStream: true,
    quietMs: 300,
    ...bpftrace(`
      $skb = (struct sk_buff *)args->skbaddr;
      $ip = (struct iphdr *)($skb->head + $skb->network_header);
      printf("%d %s %s %s %s\\n", args->reason, ksym(args->location), $skb->dev->name, ntop($ip->saddr), ntop($ip->daddr));`),
    account: accountOfPrints,
  },
};

/** The cheapest program there is: what measuring itself costs. */
export const EMPTY_PROBE = bpftrace('$nothing = 1;');

export const CASE_NAMES = Object.keys(CASES);

/** Those of `names` that can run here. */
export function chooseCases(names, cases = CASES) {
  const hasBpftrace = bpftraceVersion() !== undefined;
  const possible = names.filter((name) => cases[name].isOurs || hasBpftrace);
  return possible.map((name) => ({ name, ...cases[name] }));
}

function rpftrace(trace, toFile, ...options) {
  const out = toFile ? ['--out', trace.output] : [];
  return rpftraceWords(trace, 'trace', '--output', 'ndjson', ...out, ...options);
}

/** What starts a command of rpftrace that says when it is attached. */
export function rpftraceWords(trace, ...words) {
  const program = [process.execPath, join(root, 'bin', 'rpftrace')];
  return [...program, ...words, '--node', 'bench', '--ready-file', trace.readyFile];
}

function bpftrace(action) {
  return {
    command: () => ['bpftrace', '-e', `tracepoint:skb:kfree_skb { ${action} }`],
    // Said on stderr once all is attached, for bpftrace's own tests.
    environment: { __BPFTRACE_NOTIFY_PROBES_ATTACHED: '1' },
    readyText: '__BPFTRACE_NOTIFY_PROBES_ATTACHED',
  };
}
