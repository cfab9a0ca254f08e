import { release } from 'node:os';
import type { Registry } from 'prom-client';
import { VERSION } from '../../version.js';
import type { MetricsOptions } from '../options.js';
import type { Tally } from '../tally.js';
import { only, sampled } from './sampled.js';

/** What the capture itself does, and what it misses. */
export function registerCapture(registers: Registry[], tally: Tally, options: MetricsOptions): void {
  registerLosses(registers, options);
  registerInfo(registers, tally);
  sampled({
    registers,
    kind: 'counter',
    name: 'kernel_drops_total',
    help: 'Packets that the kernel dropped, filters or not.',
    samples: () => only(options.stats().seen),
  });
  sampled({
    registers,
    kind: 'counter',
    name: 'matched_drops_total',
    help: 'Of these, packets that passed the filters: rpftrace_drops_total, rpftrace_lost_drops_total, and what is under way.',
    samples: () => only(options.stats().matched),
  });
  sampled({
    registers,
    kind: 'gauge',
    name: 'pod_source_up',
    help: 'Whether a source of pods on this node answers.',
    labels: ['source'],
    samples: () =>
      options
        .sources()
        .filter(({ state }) => state !== 'off' && state !== 'absent')
        .map(({ name, state }) => [{ source: name }, state === 'ok' ? 1 : 0] as const),
  });
}

function registerLosses(registers: Registry[], { stats, sinks = () => ({}) }: MetricsOptions): void {
  sampled({
    registers,
    kind: 'counter',
    name: 'lost_drops_total',
    help: 'Drops that no event tells of. ring: the reader was too slow; recursion: they happened inside of the tracer.',
    labels: ['where'],
    samples: () => {
      const { lost, recursion } = stats();
      return [
        [{ where: 'ring' }, Number(lost)],
        [{ where: 'recursion' }, Number(recursion)],
      ];
    },
  });
  sampled({
    registers,
    kind: 'counter',
    name: 'lost_setting_writes_total',
    help: 'Writes to settings that went unseen, because there were too many at a time.',
    samples: () => only(stats().sysctlLost),
  });
  sampled({
    registers,
    kind: 'counter',
    name: 'sink_lost_events_total',
    help: 'Events that were captured and did not reach a reader or a place that they were meant for.',
    labels: ['sink'],
    samples: () => Object.entries(sinks()).map(([sink, lost]) => [{ sink }, lost] as const),
  });
}

function registerInfo(registers: Registry[], tally: Tally): void {
  sampled({
    registers,
    kind: 'gauge',
    name: 'build_info',
    help: 'Always 1: what runs here.',
    labels: ['version', 'node_version', 'kernel'],
    samples: () => [[{ version: VERSION, node_version: process.version, kernel: release() }, 1]],
  });
  sampled({
    registers,
    kind: 'gauge',
    name: 'hook_info',
    help: 'Always 1: what is attached in the kernel.',
    labels: ['hook'],
    samples: () => (tally.start?.hooks ?? []).map(({ name }) => [{ hook: name }, 1] as const),
  });
  sampled({
    registers,
    kind: 'gauge',
    name: 'degraded_info',
    help: 'Always 1: what this kernel or these privileges do not allow.',
    labels: ['feature', 'why'],
    samples: () => (tally.start?.degraded ?? []).map(({ feature, why }) => [{ feature, why }, 1] as const),
  });
}
