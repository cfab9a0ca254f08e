import { release } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { account } from './account.js';
import { TracerError } from './errors.js';
import type { StartEvent, StopEvent } from './events.js';
import { readOwnNetns } from './filters/own-netns.js';
import { PodFollower } from './filters/pod-follower.js';
import type { PodFilter } from './filters/pods.js';
import { reasonOfFilter } from './names/reasons.js';
import type { NativeAddon, NativeNetnsCounter, NativePodKeys, NativeStats } from './native.js';
import { DEFAULT_INTERVAL_MS, Pipeline, type PipelineOptions } from './pipeline.js';
import { readHeld } from './privileges/capabilities.js';
import { lacksOf, missingFor } from './privileges/lacks.js';
import type { CounterReadings } from './reconcile.js';
import { monotonicNs } from './record/clock.js';
import { VERSION } from './version.js';

export interface SessionOptions extends Omit<PipelineOptions, 'ownNetns'> {
  /** The filters in words, for the start event. */
  readonly filters: StartEvent['filters'];
  /** Which pods' drops are wanted; all when left out. */
  readonly podFilter?: PodFilter | undefined;
  /** Something that people should know, in words. */
  readonly onNote?: (text: string) => void;
}

/** Why a trace ends. */
export type StopCause = Pick<StopEvent, 'why' | 'signal' | 'error'>;

/** One trace from its start event to its stop event: attaches, lets the pipeline run, detaches, settles the account. */
export class Session {
  readonly pipeline: Pipeline;
  readonly #follower: PodFollower | undefined;
  readonly #addon: NativeAddon;
  readonly #options: SessionOptions;
  readonly #ownNetns = readOwnNetns();
  readonly #readings: { -readonly [moment in keyof CounterReadings]: readonly NativeNetnsCounter[] } = {
    beforeAttach: [],
    afterAttach: [],
    beforeDetach: [],
    afterDetach: [],
  };
  #startNs = 0n;
  #stopNs = 0n;
  #stopping: Promise<StopEvent> | undefined;
  #final: StopEvent | undefined;

  /** Loads the programs; nothing is attached yet. Throws a TracerError. */
  constructor(addon: NativeAddon, options: SessionOptions) {
    this.#addon = addon;
    this.#options = options;
    this.pipeline = new Pipeline(addon, { ...options, ownNetns: this.#ownNetns });
    this.#follower = this.#followPods();
  }

  /** From before the first drop on. */
  #followPods(): PodFollower | undefined {
    const { podFilter: filter, onNote = () => undefined } = this.#options;
    if (filter === undefined) return undefined;
    const { capture, pods } = this.pipeline;
    const apply = (keys: NativePodKeys) => capture.setPods(keys);
    const follower = new PodFollower({ filter, index: pods.index, apply, tell: onNote });
    follower.start();
    return follower;
  }

  /** Attaches. No event comes before announce(). Throws a TracerError. */
  attach(): void {
    this.#readings.beforeAttach = this.#addon.netnsCounters();
    this.#startNs = monotonicNs();
    this.pipeline.start();
    this.#checkReasons();
    this.#readings.afterAttach = this.#addon.netnsCounters();
  }

  /** A hook has to stand in for the reason that was asked for, where the kernel has none. */
  #checkReasons(): void {
    const { reasons = [] } = this.#options.config;
    if (reasons.every((reason) => reason !== this.pipeline.reasons.find('IP_RPFILTER'))) return;
    if (reasonOfFilter(this.pipeline.reasons, this.pipeline.capture.stats()) !== undefined) return;
    throw new TracerError('E_KERNEL_TOO_OLD', 'this kernel has no drop reasons for refused sources', {
      remedies: ['trace all drops and look at their location', 'use Linux 5.18 or newer'],
    });
  }

  /** Of the whole process, for good: all capabilities but these, a set of bits. Throws a TracerError. */
  giveUpCapabilities(keep: bigint): void {
    this.pipeline.capture.giveUpCapabilities(keep);
  }

  /** Looks up what need not be known to attach, and sends the start event. In the same turn of the event loop as attach(). */
  announce(): StartEvent {
    const { capture, sink } = this.pipeline;
    this.pipeline.lookAtSettings();
    this.pipeline.pods.start();
    const event = this.#startEvent(capture.stats());
    sink.event(event);
    sink.flush();
    return event;
  }

  /** Detaches at once, hands out all that was captured, then the stop event, and closes. Every call gives the same. */
  stop(cause: StopCause): Promise<StopEvent> {
    this.#stopping ??= this.#stop(cause);
    return this.#stopping;
  }

  /** Detaches and closes without waiting for the sink. The account is made up, but no sink gets it. */
  async abandon(cause: StopCause): Promise<StopEvent> {
    const { capture } = this.pipeline;
    this.pipeline.abandon();
    this.#follower?.stop();
    if (this.#stopNs === 0n) this.#detach().catch(() => undefined);
    this.#final ??= this.#stopEvent(cause);
    await Promise.all([capture.close(), this.pipeline.pods.stop()]);
    return this.#final;
  }

  async #stop(cause: StopCause): Promise<StopEvent> {
    const { capture, sink } = this.pipeline;
    this.#follower?.stop();
    try {
      const failure = await this.#detach().then(
        () => undefined,
        (error: TracerError) => ({ why: 'error' as const, error: error.message }),
      );
      if (this.#final) return this.#final;
      this.pipeline.finish();
      this.#final = this.#stopEvent(failure ?? cause);
      sink.event(this.#final);
      await sink.end();
      return this.#final;
    } finally {
      await Promise.all([capture.close(), this.pipeline.pods.stop()]);
    }
  }

  /** The programs are detached when this returns; its promise resolves when what they left has been taken. */
  #detach(): Promise<void> {
    this.#readings.beforeDetach = this.#addon.netnsCounters();
    const drained = this.pipeline.capture.detach();
    this.#stopNs = monotonicNs();
    this.#readings.afterDetach = this.#addon.netnsCounters();
    return drained;
  }

  #startEvent(stats: NativeStats): StartEvent {
    const { config, node, filters } = this.#options;
    return {
      v: 1,
      kind: 'start',
      time: this.pipeline.clock.formatNs(this.#startNs),
      node,
      version: VERSION,
      kernel: release(),
      pid: process.pid,
      netns: this.#ownNetns,
      mode: config.every ? 'every' : 'flow',
      interval_ms: config.every ? undefined : (config.intervalMs ?? DEFAULT_INTERVAL_MS),
      snaplen: config.snaplen,
      hooks: [
        {
          name: 'tp_btf/kfree_skb',
          arguments: stats.kfreeSkbArguments,
          reads: stats.probeRead ? 'probe_read' : 'typed',
        },
        ...[stats.refusedHook, stats.resultHook].flatMap((name) => name ?? []).map((name) => ({ name })),
        ...(stats.sysctlErrno === 0 ? [{ name: 'cgroup/sysctl' }] : []),
        ...(stats.routesErrno === 0 ? [{ name: 'rtnetlink' }] : []),
        ...(stats.execErrno === 0 ? [{ name: 'tp_btf/sched_process_exec' }] : []),
        ...(this.#options.witness === false
          ? []
          : [{ name: 'tp_btf/fib_table_lookup', on_demand: true as const }]),
      ],
      filters,
      sources: this.pipeline.pods.states,
      degraded: this.#degraded(stats),
    };
  }

  #degraded(stats: NativeStats): StartEvent['degraded'] {
    const { reasons } = this.pipeline;
    const held = readHeld(this.#options.root);
    const isWithoutHook = stats.refusedErrno !== 0 || this.#options.config.backend === 'tracepoint';
    const unreadable = this.#readings.afterAttach.filter((counter) => counter.errno !== undefined).length;
    const findings: (StartEvent['degraded'][number] | false)[] = [
      stats.sysctlErrno !== 0 && {
        feature: 'writer',
        why: `writes to settings cannot be watched (cgroup/sysctl: ${errorName(stats.sysctlErrno)}): what changes is found by reading it again, who changed it is not`,
        ...missingFor(stats.sysctlErrno, 'CAP_NET_ADMIN', held),
      },
      ...lacksOf(held, process.geteuid?.() === 0),
      stats.routesErrno !== 0 && {
        feature: 'route_changes',
        why: `changes of routes cannot be listened to (rtnetlink: ${errorName(stats.routesErrno)}): what is told of a route may be a second old, and no incident is put down to a route`,
      },
      stats.namesErrno !== 0 && {
        feature: 'location',
        why: `kernel functions cannot be named (/proc/kallsyms: ${errorName(stats.namesErrno)}): where a packet was dropped is told as an address`,
        ...missingFor(stats.namesErrno, 'CAP_SYSLOG', held),
      },
      stats.kfreeSkbArguments < 3 && {
        feature: 'reason',
        why: 'this kernel gives no drop reasons (5.17 and newer do)',
      },
      isWithoutHook && {
        feature: 'arp_refused',
        why: `ARP requests that stay without an answer because of their source make no event (fentry/ip_handle_martian_source: ${whyNot(stats.refusedErrno)})`,
      },
      isWithoutHook &&
        reasons.find('IP_LOCAL_SOURCE') === undefined && {
          feature: 'source_refused',
          why: 'this kernel has no drop reasons for the sources that it refuses whatever rp_filter says (6.13 and newer do): settings and routes have to prove them',
        },
      reasonOfFilter(reasons, stats) === undefined && {
        feature: 'reconciled',
        why: `no drop reason IP_RPFILTER on this kernel (5.18 and newer have it), and no hook that sees what rp_filter refuses: ${whyNot(stats.resultErrno)}`,
      },
      unreadable > 0 && {
        feature: 'reconciled',
        why: `the counters of ${unreadable} network namespaces cannot be read`,
      },
      stats.probeRead && {
        feature: 'typed_reads',
        why: 'no bpf_rdonly_cast (6.2 and newer): does not work with lockdown=confidentiality',
      },
    ];
    return findings.filter((finding) => finding !== false);
  }

  #stopEvent(cause: StopCause): StopEvent {
    const { capture, counts, malformed, reasons, clock } = this.pipeline;
    this.pipeline.settle();
    const { states } = this.pipeline.pods;
    return {
      v: 1,
      kind: 'stop',
      time: clock.formatNs(this.#stopNs),
      node: this.#options.node,
      ...cause,
      elapsed_ms: Number(this.#stopNs - this.#startNs) / 1e6,
      ...account({
        stats: capture.stats(),
        totals: capture.totals(),
        reasons,
        readings: this.#readings,
        netns: this.#options.config.netns,
        ...counts,
        malformed,
      }),
      sources: states,
    };
  }
}

/** Why a hook is not there; 0: nobody wanted it. */
function whyNot(errno: number): string {
  return errno === 0 ? 'not asked for' : errorName(errno);
}

function errorName(errno: number): string {
  return getSystemErrorName(errno < 0 ? errno : -errno);
}
