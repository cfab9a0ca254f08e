import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Rpf } from '../../src/events.js';
import { CASES, findCase, type LabCase, type LabDrop } from '../../src/lab/cases.js';
import { judge, judgeRefusals } from '../../src/lab/judge.js';
import { run } from '../../src/lab/process.js';
import { provoke, withSteps } from '../../src/lab/provoke.js';
import { firstMissing } from '../../src/lab/run.js';
import { send } from '../../src/lab/sender.js';
import { Witness } from '../../src/lab/witness.js';
import { useLab } from './support/lab.js';

const checks = CASES.filter(({ expect: drops }) => drops.some(({ rule }) => rule));

describe('a drop that a rule of netfilter made because of the reverse path', () => {
  const lab = useLab();
  let witness: Witness;
  beforeEach(async () => {
    witness = await Witness.open(lab);
  });
  afterEach(() => witness[Symbol.asyncDispose]());

  it.for(checks)('names the rule, and each of its fixes ends the drop: $name', async (labCase, { skip }) => {
    const lack = await firstMissing(lab, labCase);
    skip(lack !== undefined, lack);
    const { provoked, drops } = await dropsOf(labCase, 3);

    expect(judge(labCase, 3, provoked, drops)).toEqual([]);
    expect(judgeRefusals(labCase, drops)).toEqual([]);
    const rpf = rpfOf(drops);
    expect(rpf.explanation).toContain(`"${rpf.rule?.text}"`);
    expect(rpf.explanation).toContain(drops[0]?.event.packet?.src);
    expect(rpf.reverse_route).toBeDefined();
    expect(rpf.confidence_why === undefined).toBe(rpf.confidence === 'certain');
    expect(rpf.mode === undefined).toBe(drops[0]?.event.packet?.family === 'ipv6');
    expect(rpf.fix?.length).toBeGreaterThan(0);
    for (const fix of rpf.fix ?? []) {
      expect(fix).not.toContain('sysctl');
      expect(await dropsAfter(labCase, fix)).toEqual([]);
    }
  });

  it.for([
    ['nft-fib', 'ip route replace 10.244.3.136/32 dev lxcabcd', 'insert rule', 'delete rule'],
    ['nft-fib-ipv6', 'ip -6 route replace fd00:10:244:3::136/128 dev lxcabcd', 'insert rule', 'delete rule'],
    ['calico', 'ip route replace', '--insert cali-PREROUTING 2'],
    ['nixos', 'ip route replace', '--jump RETURN'],
    ['nft-fib-loose', 'insert rule', 'delete rule'],
  ] as const)('is ended in the least invasive way first: %s', async ([name, ...wanted], { skip }) => {
    const labCase = findCase(name) as LabCase;
    const lack = await firstMissing(lab, labCase);
    skip(lack !== undefined, lack);
    const { drops } = await dropsOf(labCase, 1);
    const { fix } = rpfOf(drops);
    expect(fix).toEqual(wanted.map((part) => expect.stringContaining(part)));
  });

  it('is told from one that a rule beside the check made', async ({ skip }) => {
    const labCase = findCase('nft-drop-beside-fib') as LabCase;
    const lack = await firstMissing(lab, labCase);
    skip(lack !== undefined, lack);
    const { provoked, drops } = await dropsOf(labCase, 2);

    expect(judge(labCase, 2, provoked, drops)).toEqual([]);
    expect(judgeRefusals(labCase, drops)).toEqual([]);
    const rpf = rpfOf(drops);
    expect(rpf.explanation).toContain('lets 203.0.113.9 from eth0 pass');
    expect(rpf).not.toHaveProperty('fix');
  });

  it('does not hold up the stream where there are 20,000 rules', async ({ skip }) => {
    const labCase = findCase('nft-fib') as LabCase;
    const lack = await firstMissing(lab, labCase);
    skip(lack !== undefined, lack);
    const many = Array.from({ length: 20_000 }, (_, i) => `ip daddr 10.${i >> 8}.${i & 255}.1 counter drop`);
    const rules = `table ip rpftrace_many { chain many { type filter hook forward priority 0; ${many.join('; ')}; }; }`;
    await withSteps(
      lab,
      [{ in: 'node', run: `nft -f - <<'END'\n${rules}\nEND`, undo: 'nft delete table ip rpftrace_many' }],
      async () => {
        await provoke(lab, labCase, 100);
        const drops = filterDrops(await witness.drops());
        expect(drops).toHaveLength(100);
        expect(rpfOf(drops)).toMatchObject({ verdict: 'netfilter_rpfilter', confidence: 'certain' });
      },
    );
  });

  /** What netfilter drops of a case, looked at while the case is set up. */
  async function dropsOf(labCase: LabCase, count: number) {
    let drops: LabDrop[] = [];
    const provoked = await provoke(lab, labCase, count, undefined, async () => {
      drops = filterDrops(await witness.drops());
    });
    return { provoked, drops };
  }

  /** What is still dropped when the case is provoked with the fix applied. */
  async function dropsAfter({ setup, provoke: packet }: LabCase, fix: string): Promise<string[]> {
    for (const step of setup) await lab.inside(step.in, step.run);
    await run('sh', ['-ec', fix]);
    await send(lab, packet, { count: 3 });
    for (const step of setup.toReversed()) await lab.attemptInside(step.in, step.undo);
    await lab.inside('node', RESTORE);
    const left = (await witness.drops()).filter(
      ({ event }) => event.reason === 'NETFILTER_DROP' || event.rpf?.verdict !== 'not_rpf',
    );
    return left.map(({ event }) => `${fix}: ${event.reason} ${event.packet?.src} on ${event.device.name}`);
  }
});

/** Takes back whatever a fix may have left. */
const RESTORE = `
  for command in iptables iptables-legacy ip6tables; do
    $command --wait --table raw --flush
    $command --wait --table raw --delete-chain
  done
  ip route delete 10.244.3.136/32 || true
  ip -6 route delete fd00:10:244:3::136/128 || true`;

/** A fix that was tried may leave an answer that waits for its neighbour in vain, and is dropped some seconds later. */
function filterDrops(drops: readonly LabDrop[]): LabDrop[] {
  return drops.filter(({ event }) => event.reason === 'NETFILTER_DROP');
}

function rpfOf(drops: readonly LabDrop[]): Rpf {
  return drops[0]?.event.rpf as Rpf;
}
