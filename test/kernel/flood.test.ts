import { createReadStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TraceEvent } from '../../src/events.js';
import { readCounters } from '../../src/lab/counters.js';
import type { LabPacket } from '../../src/lab/packet.js';
import { type SendOptions, send } from '../../src/lab/sender.js';
import { rpFilter } from '../../src/lab/steps.js';
import { ADDRESS } from '../../src/lab/topology.js';
import { startTrace, stopOf } from '../process/support/program.js';
import { expectReconciled, inLab, useLab } from './support/lab.js';

const FLOOD = 200_000;
const UDP: LabPacket = { from: 'pod', kind: 'udp', src: ADDRESS.pod, dst: ADDRESS.world };

describe('a flood is accounted for to the last drop', () => {
  const lab = useLab();
  const scratch = mkdtempSync(join(tmpdir(), 'flood-'));
  const { in: place, run } = rpFilter(1);

  beforeAll(() => lab.inside(place, run));
  afterAll(() => rmSync(scratch, { recursive: true }));

  /** Traces a flood into a file. What the kernel counted and what the events say must be one number. */
  async function flood(args: readonly string[], packet: LabPacket, options: SendOptions): Promise<Told> {
    const file = join(scratch, 'events.ndjson');
    const trace = await startTrace(['-o', 'ndjson', '--out', file, ...inLab(lab, ['node']), ...args]);
    const before = await readCounters(lab);
    const { sent, refused } = await send(lab, packet, options);
    const after = await readCounters(lab);
    const { code } = await trace.stop();
    const told = await readTold(file);
    const kernel = after.reversePathFilter - before.reversePathFilter;

    expect(code).toBe(0);
    expect({ sent, refused, kernel }).toEqual({ sent: options.count, refused: 0, kernel: options.count });
    expect(told.dropped + told.lost).toBe(kernel);
    expect(told.stop.totals).toMatchObject({ matched: kernel, emitted: told.dropped, lost: told.lost });
    expect(told.stop.conservation).toEqual({ holds: true, difference: 0 });
    expectReconciled(told.stop, { netns: lab.inode('node'), kernel, traced: kernel });
    return told;
  }

  it('by default, where a flow of many drops is a few events', async () => {
    const { events, lost } = await flood([], UDP, { count: FLOOD });

    expect(lost).toBe(0);
    expect(events).toBeLessThan(20);
  });

  it('by default, in a hundred flows', async () => {
    const { lost, coarse, sources } = await flood([], { ...UDP, flows: 100 }, { count: FLOOD });

    expect({ lost, coarse, flows: sources.size }).toEqual({ lost: 0, coarse: 0, flows: 100 });
  });

  it('with --every, where each drop is an event', async () => {
    const { dropped, events } = await flood(['--every'], UDP, { count: FLOOD });

    expect(events).toBe(dropped);
  });

  it('in more flows than the flow table holds', async () => {
    const spoofed = { ...UDP, src: '198.18.0.0', flows: 100_000, spread: 'address' } as const;
    const { coarse } = await flood([], spoofed, { count: FLOOD });

    expect(coarse).toBeGreaterThan(0);
  });
});

interface Told {
  readonly stop: ReturnType<typeof stopOf>;
  readonly dropped: number;
  readonly lost: number;
  readonly events: number;
  /** Drops of which only reason, location and device are known. */
  readonly coarse: number;
  readonly sources: ReadonlySet<string>;
}

async function readTold(file: string): Promise<Told> {
  const sum = { dropped: 0, lost: 0, events: 0, coarse: 0, sources: new Set<string>() };
  let last: TraceEvent | undefined;
  for await (const line of createInterface(createReadStream(file))) {
    last = JSON.parse(line) as TraceEvent;
    if (last.kind === 'lost') sum.lost += last.count;
    if (last.kind !== 'drop') continue;
    sum.dropped += last.count;
    sum.events++;
    if (last.aggregate === 'device') sum.coarse += last.count;
    else sum.sources.add(`${last.packet?.src}:${last.packet?.src_port}`);
  }
  return { ...sum, stop: stopOf(last ? [last] : []) };
}
