/** What went wrong, from one list: scripts and tests compare codes, people read messages and remedies. */
export class TracerError extends Error {
  override readonly name = 'TracerError';
  readonly code: ErrorCode;
  /** What to do next, the likeliest first. */
  readonly remedies: readonly string[];

  constructor(
    code: ErrorCode,
    message: string,
    options: { remedies?: readonly string[]; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.remedies = options.remedies ?? CODES[code].remedies;
  }
}

export type ErrorCode = keyof typeof CODES;

/** Exit codes of the program. */
export const EXIT = { done: 0, failed: 1, usage: 2, cannot: 3, dropped: 4 } as const;

/** Turns whatever was thrown, by the addon too, into a TracerError. */
export function toTracerError(thrown: unknown): TracerError {
  if (thrown instanceof TracerError) return thrown;
  if (!(thrown instanceof Error)) return new TracerError('E_INTERNAL', String(thrown));
  const code = (thrown as { code?: unknown }).code;
  return new TracerError(isErrorCode(code) ? code : 'E_INTERNAL', thrown.message, { cause: thrown });
}

export function exitCodeOf(error: TracerError): number {
  return CODES[error.code].exit;
}

/** The message with its code in its first line, then the numbered remedies. Has no trailing newline. */
export function formatError(error: TracerError): string {
  const [first, ...more] = error.message.split('\n');
  const steps = error.remedies.map((remedy, index) => `  ${index + 1}. ${remedy}`);
  const advice = steps.length > 0 ? ['What to do:', ...steps] : [];
  return [`rpftrace: ${first} [${error.code}]`, ...more, ...advice].join('\n');
}

function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(CODES, code);
}

interface CodeFacts {
  readonly exit: number;
  readonly remedies: readonly string[];
}

/** Remedies here hold for every error of the code; one that is thrown with remedies of its own shows only those. */
const CODES = {
  E_NOT_LINUX: {
    exit: EXIT.cannot,
    remedies: [
      'run rpftrace on the Linux node whose packets are lost; only the Linux kernel has these hooks',
    ],
  },
  E_NO_BTF: {
    exit: EXIT.cannot,
    remedies: [
      'look for /sys/kernel/btf/vmlinux; without it this kernel was built without CONFIG_DEBUG_INFO_BTF=y',
      'boot a kernel of the distribution that has it: Debian 12 and Ubuntu 24.04 do',
      'in a container, make sure that /sys is mounted (sysfs, read-only is enough)',
    ],
  },
  E_MISSING_CAPABILITY: {
    exit: EXIT.cannot,
    remedies: [
      'run it as root: sudo rpftrace ...',
      'or give it CAP_BPF and CAP_PERFMON: sudo setpriv --reuid=$USER --inh-caps=+bpf,+perfmon --ambient-caps=+bpf,+perfmon rpftrace ...',
      'in Kubernetes: securityContext.capabilities.add: ["BPF", "PERFMON"]',
      'in Docker: --cap-add BPF --cap-add PERFMON',
      'what further capabilities give: docs/privileges.md',
    ],
  },
  E_LOCKDOWN: {
    exit: EXIT.cannot,
    remedies: [
      'look at /sys/kernel/security/lockdown: in [confidentiality] the kernel lets no BPF program read its memory by address',
      'boot with lockdown=integrity or without Secure Boot',
      'or use a kernel with bpf_rdonly_cast (6.2 and newer): there rpftrace reads through typed pointers only',
    ],
  },
  E_KERNEL_TOO_OLD: {
    exit: EXIT.cannot,
    remedies: [
      'use Linux 5.10 or newer',
      'run: rpftrace --version; uname -r; and report both if the kernel is newer',
    ],
  },
  E_NO_BACKEND: {
    exit: EXIT.cannot,
    remedies: [
      'leave out --backend: then rpftrace takes what this kernel has',
      'see what it has: rpftrace doctor',
    ],
  },
  E_BPF_REFUSED: {
    exit: EXIT.cannot,
    remedies: [
      'in a container, allow the bpf() system call in the seccomp profile: deploy/seccomp.json is one that suffices (Docker: --security-opt seccomp=FILE, or unconfined to try it)',
      'in a rootless container or another user namespace, run it in the first one, as root: capabilities of others do not count (cat /proc/self/uid_map: 0 0 4294967295 is the first)',
      'look at dmesg and at the audit log for a security module (SELinux, AppArmor) that refused it',
      'look at kernel.unprivileged_bpf_disabled and kernel.perf_event_paranoid when it does not run as root',
    ],
  },
  E_BPF_FAILED: {
    exit: EXIT.cannot,
    remedies: [
      'see what libbpf and the verifier say: RPFTRACE_DEBUG=1 rpftrace ...',
      'report it with that text and the output of: rpftrace --version; uname -r',
    ],
  },
  E_MEMLOCK: {
    exit: EXIT.cannot,
    remedies: [
      'raise the limit for this run: ulimit -l unlimited (systemd: LimitMEMLOCK=infinity; Docker: --ulimit memlock=-1)',
      'or give it CAP_SYS_RESOURCE, with which it raises the limit itself (Kubernetes: securityContext.capabilities.add: ["SYS_RESOURCE"])',
      'or use Linux 5.11 or newer, where BPF maps do not count as locked memory',
    ],
  },
  E_NO_MEMORY: { exit: EXIT.failed, remedies: ['look at the memory limit of the container or the service'] },
  E_ADDON_MISSING: {
    exit: EXIT.cannot,
    remedies: [
      'in a checkout, build it: npm run build',
      'in an installed package, install it again on this machine: npm install rpftrace',
      `make sure that the package was made for ${process.platform}-${process.arch}`,
    ],
  },
  E_NO_PLACE: {
    exit: EXIT.cannot,
    remedies: [
      'put this file into a folder that it can write to, on a file system that is not mounted noexec, or set TMPDIR to one',
      'or install the package with npm: it needs no such folder',
    ],
  },
  E_LAYOUT_MISMATCH: {
    exit: EXIT.cannot,
    remedies: [
      'addon and program come from different builds; build both again: npm run build',
      'in an installed package, remove and install it again',
    ],
  },
  E_USAGE: { exit: EXIT.usage, remedies: ['run: rpftrace --help'] },
  E_UNKNOWN_REASON: { exit: EXIT.usage, remedies: ['run: rpftrace trace --help'] },
  E_UNKNOWN_DEVICE: { exit: EXIT.usage, remedies: ['list the devices: ip link'] },
  E_UNKNOWN_NETNS: { exit: EXIT.usage, remedies: ['list the network namespaces: lsns -t net; ip netns'] },
  E_EXPRESSION: { exit: EXIT.usage, remedies: ['see the syntax: man 7 pcap-filter'] },
  E_CONFIG: { exit: EXIT.usage, remedies: ['check it: rpftrace serve --check-config', 'see docs/serve.md'] },
  E_LISTEN: {
    exit: EXIT.failed,
    remedies: [
      'see who listens there: ss -lntxp',
      'give another address: rpftrace serve --listen 127.0.0.1:14101 --listen unix:/run/rpftrace/other.sock',
    ],
  },
  E_TOO_MANY: {
    exit: EXIT.failed,
    remedies: ['try again later', 'or let the server take more: limits.readers'],
  },
  E_UNREACHABLE: {
    exit: EXIT.failed,
    remedies: [
      'see whether it runs: rpftrace serve; systemctl status rpftrace',
      'name another place: rpftrace attach http://127.0.0.1:14100, https://NODE:14100, or a socket',
    ],
  },
  E_DENIED: {
    exit: EXIT.failed,
    remedies: ['give the token of the server: --token-file FILE, or RPFTRACE_TOKEN'],
  },
  E_NO_SERVER: {
    exit: EXIT.failed,
    remedies: [
      'see what answers there: curl -i URL/v1/status',
      'name the place that `rpftrace serve` says it listens on',
    ],
  },
  E_OUTPUT: { exit: EXIT.failed, remedies: [] },
  E_READER_GONE: { exit: EXIT.done, remedies: [] },
  E_LAB: { exit: EXIT.failed, remedies: [] },
  E_UNKNOWN_CASE: { exit: EXIT.usage, remedies: ['list the cases: rpftrace lab drop --help'] },
  E_CLOSED: { exit: EXIT.failed, remedies: [] },
  E_INTERNAL: { exit: EXIT.failed, remedies: [] },
} as const satisfies Record<string, CodeFacts>;
