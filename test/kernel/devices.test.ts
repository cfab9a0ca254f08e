import { describe, expect, it } from 'vitest';
import { type Counters, readCounters } from '../../src/lab/counters.js';
import type { Lab } from '../../src/lab/lab.js';
import type { LabPacket } from '../../src/lab/packet.js';
import { run } from '../../src/lab/process.js';
import { send } from '../../src/lab/sender.js';
import { rpFilter } from '../../src/lab/steps.js';
import { ADDRESS } from '../../src/lab/topology.js';
import { rpftrace, startTrace } from '../process/support/program.js';
import { accountOf, count, expectReconciled, inLab, runTrace, withLab } from './support/lab.js';

const UDP: LabPacket = { from: 'pod', kind: 'udp', src: ADDRESS.pod, dst: ADDRESS.world };

describe('a device that changes during a burst', () => {
  it('is called by the name that it had at each drop', async () => {
    await withStrictLab(async (lab) => {
      const traced = await runTrace(['--every', ...inLab(lab, ['node'])], async () => {
        await send(lab, UDP, { count: 1 });
        const burst = send(lab, UDP, BURST);
        await rename(lab, 'lxcabcd', 'lxcrenamed');
        await burst;
        await send(lab, UDP, { count: 1 });
        return await readCounters(lab);
      });

      expect(new Set(traced.drops.map(({ device }) => device.name))).toEqual(
        new Set(['lxcabcd', 'lxcrenamed']),
      );
      expect(traced.drops.at(-1)?.device).toMatchObject({ name: 'lxcrenamed', role: 'cilium_lxc' });
      expectAllCounted(traced, lab);
    });
  });

  it('is traced to its last drop when it is deleted', async () => {
    await withStrictLab(async (lab) => {
      const traced = await runTrace(inLab(lab, ['node']), async () => {
        await duringBurst(lab, () => run('ip', ['-n', lab.netns('node'), 'link', 'delete', 'lxcabcd']));
        return await readCounters(lab);
      });

      expect(traced.result.reversePathFilter).toBeLessThan(BURST.count);
      expectAllCounted(traced, lab);
    });
  });

  it('is traced to its last drop when its network namespace is deleted', async () => {
    await withStrictLab(async (lab) => {
      const node = lab.inode('node');
      const traced = await runTrace(['--netns', String(node)], () =>
        duringBurst(lab, () => run('ip', ['netns', 'delete', lab.netns('node')])),
      );

      const refused = count(traced.drops, ({ reason }) => reason === 'IP_RPFILTER');
      expect(refused).toBeGreaterThan(0);
      expect(traced.stop.conservation).toEqual({ holds: true, difference: 0 });
      // Its counter is gone with it: nobody can say whether it agrees.
      expect(accountOf(traced.stop, node)).toMatchObject({ traced: refused, reconciled: null });
      expect(traced.stop.reconciled).toBeNull();
    });
  });
});

describe('a device with control characters in its name', () => {
  const name = '\u001b[31m\u0007lxc';

  it('is valid JSON, and the same name again', async () => {
    await withStrictLab(async (lab) => {
      await rename(lab, 'lxcabcd', name);
      const { drops, ended } = await runTrace(inLab(lab, ['node']), () => send(lab, UDP, { count: 3 }));

      expect(count(drops, ({ device }) => device.name === name)).toBe(3);
      expect(controls(ended.stdout)).toEqual([]);
      expect(controls(ended.stderr)).toEqual([]);
    });
  });

  it('never reaches a terminal as it is', async () => {
    await withStrictLab(async (lab) => {
      await rename(lab, 'lxcabcd', name);
      const trace = await startTrace(['-o', 'table', ...inLab(lab, ['node'])]);
      await send(lab, UDP, { count: 3 });
      const { code, stdout, stderr } = await trace.stop();

      expect(code).toBe(0);
      expect(stdout).toContain('\\x1b[31m');
      expect(controls(stdout)).toEqual([]);
      expect(controls(stderr)).toEqual([]);
    });
  });

  it('is not printed when it is asked for and not there', async () => {
    const { code, stderr } = await rpftrace(['trace', '--device', `${name}0123456789`]);

    expect(code).toBe(2);
    expect(controls(stderr)).toEqual([]);
  });
});

/** Long enough for everything that happens during it: 2 seconds. */
const BURST = { count: 60_000, rate: 30_000 };

async function withStrictLab(work: (lab: Lab) => Promise<void>): Promise<void> {
  await withLab(async (lab) => {
    const { in: place, run: script } = rpFilter(1);
    await lab.inside(place, script);
    await work(lab);
  });
}

/** Takes away what the burst comes through, once it has begun. The sender then fails, which it may. */
async function duringBurst(lab: Lab, takeAway: () => Promise<unknown>): Promise<void> {
  const burst = send(lab, UDP, BURST).catch(() => undefined);
  while ((await readCounters(lab)).reversePathFilter === 0);
  await takeAway();
  await burst;
}

async function rename(lab: Lab, from: string, to: string): Promise<void> {
  await run('ip', ['-n', lab.netns('node'), 'link', 'set', from, 'name', to]);
}

function expectAllCounted(traced: Awaited<ReturnType<typeof runTrace<Counters>>>, lab: Lab): void {
  const { reversePathFilter: kernel } = traced.result;
  const refused = count(traced.drops, ({ reason }) => reason === 'IP_RPFILTER');
  expect(refused + traced.stop.totals.lost).toBe(kernel);
  expect(traced.stop.conservation).toEqual({ holds: true, difference: 0 });
  expectReconciled(traced.stop, { netns: lab.inode('node'), kernel, traced: kernel });
}

/** All control characters but the end of a line. */
function controls(text: string): string[] {
  return [...text].filter((letter) => letter !== '\n' && /\p{Cc}/u.test(letter));
}
