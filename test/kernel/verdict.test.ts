import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CASES, type LabCase, type LabDrop } from '../../src/lab/cases.js';
import { expectedWith, judgeRefusals } from '../../src/lab/judge.js';
import { run } from '../../src/lab/process.js';
import { provoke, withSteps } from '../../src/lab/provoke.js';
import { firstMissing } from '../../src/lab/run.js';
import { send } from '../../src/lab/sender.js';
import { Witness } from '../../src/lab/witness.js';
import { useLab } from './support/lab.js';

/** Whoever sends these has to change: no command of this machine is a cure. */
const NO_CURE = new Set(['invalid_source', 'loopback_source']);

/** What netfilter refuses has tests of its own. */
const refusals = CASES.filter(({ expect }) =>
  expect.some(({ refusal }) => refusal && refusal.verdict !== 'netfilter_rpfilter'),
);

describe('the verdict on a refused source', () => {
  const lab = useLab();
  let witness: Witness;
  // A tracer of its own for each: the routes change faster here than answers are forgotten.
  beforeEach(async () => {
    witness = await Witness.open(lab);
  });
  afterEach(() => witness[Symbol.asyncDispose]());

  it.for(refusals)('is the kernel’s branch, and its fixes end the drop: $name', async (labCase, { skip }) => {
    const lack = await firstMissing(lab, labCase);
    skip(lack !== undefined, lack);
    let drops: LabDrop[] = [];
    await provoke(lab, labCase, 3, undefined, async () => {
      drops = refusedSources(await witness.drops());
    });

    const seen = expectedWith(labCase, witness.hooks);
    skip(seen.length === 0, 'no hook sees it on this kernel');
    const [expected] = seen.flatMap(({ refusal }) => refusal ?? []);
    const rpfs = drops.map(({ event }) => event.rpf);
    expect(rpfs.length).toBeGreaterThan(0);
    expect(judgeRefusals(labCase, drops)).toEqual([]);
    expect(rpfs[0]?.explanation).toContain(drops[0]?.event.packet?.src);

    if (NO_CURE.has(expected?.verdict ?? '')) {
      expect(rpfs[0]).toMatchObject({ fix_unknown: expect.stringContaining('sender') });
      return;
    }
    const fixes = rpfs[0]?.fix ?? [];
    expect(fixes.length).toBeGreaterThan(0);
    for (const fix of fixes) expect(await dropsAfter(labCase, fix)).toEqual([]);
  });

  it('never advises loose mode where the device has no address', async () => {
    await provoke(lab, CASES.find(({ name }) => name === 'strict') as LabCase, 1);
    const [drop] = refusedSources(await witness.drops());

    expect(drop?.event.rpf).toMatchObject({
      verdict: 'unnumbered_mismatch',
      fix: [
        `ip netns exec ${lab.netns('node')} sysctl -w net.ipv4.conf.all.rp_filter=0`,
        `ip netns exec ${lab.netns('node')} ip route replace 10.244.3.136/32 dev lxcabcd`,
      ],
      reverse_route: {
        device: 'cilium_host',
        table: 254,
        prefix: '10.244.3.0/24',
        gateway: '10.244.3.1',
        type: 'unicast',
        evidence: 'replay',
        certain: true,
      },
    });
  });

  it('names the table that the mark leads to', async ({ skip }) => {
    const mark = CASES.find(({ name }) => name === 'mark') as LabCase;
    const lack = await firstMissing(lab, mark);
    skip(lack !== undefined, lack);
    await provoke(lab, mark, 1);
    const [drop] = refusedSources(await witness.drops());

    expect(drop?.event.rpf).toMatchObject({
      reverse_route: { table: 2004, prefix: '0.0.0.0/0', type: 'local' },
      fix: [
        expect.stringContaining('net.ipv4.conf.all.src_valid_mark=0'),
        expect.stringContaining('accept_local=1'),
      ],
    });
  });

  it('comes from questions that are no drops themselves', async () => {
    const { code } = await lab.attemptInside('node', 'ip route get 127.0.0.1 from 203.0.113.9 iif eth0');
    expect(code).not.toBe(0);
    await lab.inside('node', 'ip route add unreachable 10.99.0.1; ! ip route get 10.99.0.1');
    await lab.inside('node', 'ip route delete unreachable 10.99.0.1');

    const locations = (await witness.drops()).map(({ event }) => event.location);
    expect(locations.filter((location) => location?.startsWith('inet_rtm_getroute'))).toEqual([]);
  });

  /** What is still refused when the case is provoked with the fix applied. */
  async function dropsAfter(labCase: LabCase, fix: string): Promise<string[]> {
    await withSteps(lab, labCase.setup, async () => {
      await run('sh', ['-ec', fix]);
      await send(lab, labCase.provoke, { count: 3 });
    });
    await lab.inside('node', RESTORE);
    return refusedSources(await witness.drops()).map(
      ({ event }) => `${fix}: ${event.reason} ${event.packet?.src} on ${event.device.name}`,
    );
  }
});

/** Takes back whatever a fix may have set. */
const RESTORE = `
  for name in rp_filter accept_local src_valid_mark; do
    for file in /proc/sys/net/ipv4/conf/*/$name; do echo 0 > $file; done
  done
  ip route delete 10.244.3.136/32 || true`;

function refusedSources(drops: readonly LabDrop[]): LabDrop[] {
  return drops.filter(({ place, event }) => place === 'node' && event.rpf && event.rpf.verdict !== 'not_rpf');
}
