import type { Registry } from 'prom-client';
import type { DropCounter } from '../drop-counter.js';
import { only, sampled } from './sampled.js';

export function registerDrops(registers: Registry[], drops: DropCounter): void {
  sampled({
    registers,
    kind: 'counter',
    name: 'drops_total',
    help: 'Packets that the kernel dropped, filters applied. A label is empty where nothing is known, and _other where series_limit was reached.',
    labels: ['reason', 'verdict', 'namespace', 'pod', 'device'],
    samples: () => drops.look().map((series) => [{ ...series.labels }, series.drops] as const),
  });
  sampled({
    registers,
    kind: 'counter',
    name: 'drops_folded_total',
    help: 'Of rpftrace_drops_total, drops that were counted under _other because there were too many series.',
    samples: () => only(drops.folded),
  });
  sampled({
    registers,
    kind: 'gauge',
    name: 'drop_series',
    help: 'Series of rpftrace_drops_total, those under _other left out.',
    samples: () => only(drops.size),
  });
  sampled({
    registers,
    kind: 'gauge',
    name: 'drop_series_limit',
    help: 'How many series rpftrace_drops_total may have.',
    samples: () => only(drops.maxSeries),
  });
}
