import { describe, expect, it } from 'vitest';
import type { Scene } from '../../../../src/explain/explain.js';
import { explainMode } from '../../../../src/explain/mode.js';
import type { DropReader } from '../../../../src/record/decode.js';
import { FLAGS } from '../../../../src/record/layout.gen.js';
import { ExplainerBench } from '../../../fixtures/explainer.js';
import { readDrop } from '../../../fixtures/reading.js';
import { CHECK, KIND, makePlain, makeRule, VERDICT } from '../../../fixtures/rules.js';

const NETNS = 4_026_531_840;

function sceneOf(drop: DropReader, location = 'nft_do_chain+0x3e8'): Scene {
  const device = { name: 'lxcabcd', role: 'cilium_lxc', kind: 'veth' } as const;
  return { id: 0, reason: 'NETFILTER_DROP', location, device, mode: explainMode(drop) };
}

class Bench extends ExplainerBench {
  constructor() {
    super(NETNS);
    this.addon.filterRules = { rules: [makeRule()], isCut: false };
  }

  explain(drop: DropReader, scene = sceneOf(drop)) {
    return this.explainer.explain(drop, scene);
  }
}

/** rp_filter is off in all of these, so that only netfilter decides. */
const off = { rpFilterAll: 0, rpFilterDevice: 0 };

describe('what is said of a drop by netfilter', () => {
  it('names the rule, why, and what ends the drop', () => {
    const { rpf } = new Bench().explain(readDrop(off));
    expect(rpf).toMatchObject({
      verdict: 'netfilter_rpfilter',
      confidence: 'certain',
      rule: { kind: 'nft', table: 'filter', chain: 'lab', handle: 4, check: 'strict' },
      fix: [
        'ip route replace 10.244.3.136/32 dev lxcabcd',
        `nft insert rule ip filter lab position 4 'iifname "lxcabcd" accept'`,
        'nft delete rule ip filter lab handle 4',
      ],
    });
  });

  it('offers only what rp_filter would not refuse next', () => {
    const { rpf } = new Bench().explain(readDrop());
    expect(rpf?.mode?.effective).toBe(1);
    expect(rpf?.fix).toEqual(['ip route replace 10.244.3.136/32 dev lxcabcd']);
  });

  it('offers nothing that leads only to the next check', () => {
    const bench = new Bench();
    const second = makeRule({ base: 1, chain: 'second', handle: 9 });
    bench.addon.filterRules = { rules: [makeRule(), second], isCut: false };
    expect(bench.explain(readDrop(off)).rpf?.fix).toEqual(['ip route replace 10.244.3.136/32 dev lxcabcd']);
  });

  it('is nothing of the kind where no rule checks the reverse path', () => {
    const bench = new Bench();
    bench.addon.filterRules = { rules: [makePlain()], isCut: false };
    expect(bench.explain(readDrop()).rpf).toMatchObject({ verdict: 'not_rpf' });
    expect(bench.addon.asked).toEqual([]);
  });

  it('says why the rules are not known', () => {
    const bench = new Bench();
    bench.addon.ruleset = () => {
      throw Object.assign(new Error('x'), { errno: -1 });
    };
    const { rpf } = bench.explain(readDrop());
    expect(rpf?.verdict).toBeUndefined();
    expect(rpf?.verdict_unknown).toContain('CAP_NET_ADMIN');
  });

  it('takes the place into account that freed the packet', () => {
    const bench = new Bench();
    const drop = readDrop(off);
    const slow = sceneOf(drop, 'nf_hook_slow+0x9a');
    expect(bench.explain(drop, slow).rpf?.verdict).toBeUndefined();
    const legacy = new Bench();
    legacy.addon.filterRules = { rules: [makeRule({ kind: KIND.LEGACY, handle: 0 })], isCut: false };
    expect(legacy.explain(drop, slow).rpf).toMatchObject({
      confidence: 'certain',
      fix: [
        'ip route replace 10.244.3.136/32 dev lxcabcd',
        'iptables-legacy --table filter --insert lab 1 --in-interface lxcabcd --jump ACCEPT',
      ],
    });
  });

  it('is less sure of a packet that had its route', () => {
    const drop = readDrop({ ...off, flags: FLAGS.DEVICE | FLAGS.CONF | FLAGS.L3 | FLAGS.ROUTED });
    const { rpf } = new Bench().explain(drop);
    expect(rpf).toMatchObject({ confidence: 'likely', confidence_why: expect.stringContaining('hook') });
  });

  it('asks for the way back once for each drop and check, so that slow answers make it no less sure', () => {
    const bench = new Bench();
    const { route } = bench.addon;
    bench.addon.route = (...question) => {
      bench.nowMs += 25;
      return route.apply(bench.addon, question);
    };
    const accept = makeRule({ check: CHECK.ACCEPTED, verdict: VERDICT.ACCEPT });
    bench.addon.filterRules = { rules: [accept, makePlain({ isPolicy: true })], isCut: false };
    for (let port = 1; port <= 3; port++)
      expect(bench.explain(readDrop({ ...off, srcPort: port })).rpf).toMatchObject({ confidence: 'certain' });
    expect(bench.addon.asked).toHaveLength(3 + 1); // rp_filter's own way back is asked for once
  });

  it('stays the same object as long as it says the same', () => {
    const bench = new Bench();
    const drop = readDrop(off);
    const scene = sceneOf(drop);
    const first = bench.explain(drop, scene);
    bench.nowMs = first.staleAtMs;
    expect(bench.explain(drop, scene).rpf).toBe(first.rpf);
  });

  it('has no words of its own for each source of a flood', () => {
    const bench = new Bench();
    const scene = sceneOf(readDrop(off));
    const said = Array.from({ length: 600 }, (_, i) => {
      const drop = readDrop({ ...off, src: [10, 9, i >> 8, i & 255] });
      return bench.explain(drop, scene).rpf;
    });
    expect(new Set(said).size).toBeLessThan(260);
    expect(said.at(-1)).toMatchObject({ verdict: 'netfilter_rpfilter' });
    expect(said.at(-1)?.explanation).toBeUndefined();
  });
});
