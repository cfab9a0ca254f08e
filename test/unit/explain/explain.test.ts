import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { rpf as rpfSchema } from '../../../src/events.js';
import type { Scene } from '../../../src/explain/explain.js';
import { explainMode } from '../../../src/explain/mode.js';
import type { DropReader } from '../../../src/record/decode.js';
import { FLAGS } from '../../../src/record/layout.gen.js';
import { ExplainerBench } from '../../fixtures/explainer.js';
import { readDrop } from '../../fixtures/reading.js';

const NETNS = 4_026_531_840;

let root: string;
beforeEach(() => {
  root = `${mkdtempSync(join(tmpdir(), 'rpftrace-explain-'))}/`;
});
afterEach(() => rmSync(root, { recursive: true }));

function sceneOf(drop: DropReader, reason = 'IP_RPFILTER'): Scene {
  return {
    id: 0,
    reason,
    location: 'ip_rcv_finish_core+0x25b',
    device: { name: 'lxcabcd', role: 'cilium_lxc', kind: 'veth' },
    mode: explainMode(drop),
  };
}

class Bench extends ExplainerBench {
  constructor() {
    super(NETNS, root);
  }
}

describe('what is said of a refused source', () => {
  it('is the whole answer: why, by which route, and what ends it', () => {
    const drop = readDrop();
    const { rpf } = new Bench().explainer.explain(drop, sceneOf(drop));

    expect(rpf).toMatchObject({
      verdict: 'unnumbered_mismatch',
      reverse_route: { device: 'cilium_host', gateway: '10.244.3.1', evidence: 'replay', certain: true },
      explanation:
        '10.244.3.136 arrived on lxcabcd, but the route back to it leaves by cilium_host; all.rp_filter=1 makes the check binding, and lxcabcd has no IPv4 address, so loose mode (2) would drop it too',
      fix: ['sysctl -w net.ipv4.conf.all.rp_filter=0', 'ip route replace 10.244.3.136/32 dev lxcabcd'],
    });
    expect(rpfSchema.parse(JSON.parse(JSON.stringify(rpf)))).toBeDefined();
  });

  it('names the line that will undo the fix, on our own machine only', () => {
    mkdirSync(join(root, 'etc/sysctl.d'), { recursive: true });
    writeFileSync(join(root, 'etc/sysctl.d/50-x.conf'), 'net.ipv4.conf.all.rp_filter = 1\n');
    const { explainer } = new Bench();
    const own = readDrop();
    expect(explainer.explain(own, sceneOf(own)).rpf?.persisted).toEqual([
      {
        file: '/etc/sysctl.d/50-x.conf',
        line: 1,
        key: 'net.ipv4.conf.all.rp_filter',
        value: '1',
        by: 'sysctl',
      },
    ]);
    const other = readDrop({ netns: 7 });
    const { rpf } = explainer.explain(other, sceneOf(other));
    expect(rpf?.persisted).toBeUndefined();
    expect(rpf?.fix_where).toContain('7');
  });

  it('stays the same object until the way back is another', () => {
    const bench = new Bench();
    const drop = readDrop();
    const scene = sceneOf(drop);
    const first = bench.explainer.explain(drop, scene);
    bench.nowMs = first.staleAtMs;
    const again = bench.explainer.explain(drop, scene);
    expect(again.rpf).toBe(first.rpf);
    bench.addon.routes.delete('10.244.3.136');
    bench.nowMs = again.staleAtMs;
    expect(bench.explainer.explain(drop, scene).rpf).toMatchObject({
      verdict: 'no_reverse_route',
      reverse_route: { lookup: 'none' },
    });
  });

  it('is cautious where the way back could not be asked for', () => {
    const bench = new Bench();
    bench.addon.rules = () => {
      throw Object.assign(new Error('gone'), { errno: -3 });
    };
    const drop = readDrop();
    const { rpf, staleAtMs } = bench.explainer.explain(drop, sceneOf(drop));

    expect(rpf).toMatchObject({
      verdict_unknown: expect.stringContaining('unnumbered_mismatch or no_reverse_route'),
      reverse_route_unknown: expect.stringContaining('gone'),
    });
    expect(rpf?.verdict).toBeUndefined();
    expect(staleAtMs).toBe(1000);
  });
});

describe('what is said of other drops', () => {
  it('is that the check has no part in them, without a single lookup', () => {
    const bench = new Bench();
    const drop = readDrop();
    const scene = sceneOf(drop, 'NO_SOCKET');
    const { rpf, staleAtMs } = bench.explainer.explain(drop, scene);

    expect(rpf).toEqual({ verdict: 'not_rpf', mode: scene.mode });
    expect(staleAtMs).toBe(Number.POSITIVE_INFINITY);
    expect(bench.explainer.explain(drop, scene).rpf).toBe(rpf);
    expect(bench.addon.asked).toEqual([]);
  });

  it('is nothing where the device does no IPv4, and where there is no packet', () => {
    const drop = readDrop({ flags: FLAGS.DEVICE | FLAGS.L3 });
    expect(new Bench().explainer.explain(drop, sceneOf(drop)).rpf).toBeUndefined();
    const without = readDrop({ flags: FLAGS.DEVICE, family: 0 });
    expect(new Bench().explainer.explain(without, sceneOf(without)).rpf).toBeUndefined();
  });

  it('is that IPv6 has no rp_filter', () => {
    const drop = readDrop({ flags: FLAGS.DEVICE | FLAGS.CONF | FLAGS.L3, family: 6 });
    const { rpf } = new Bench().explainer.explain(drop, sceneOf(drop, 'NO_SOCKET'));
    expect(rpf).toEqual({ verdict: 'not_rpf' });
  });

  it('says that forwarding hides the check', () => {
    const drop = readDrop();
    const { rpf } = new Bench().explainer.explain(drop, sceneOf(drop, 'IP_INADDRERRORS'));
    expect(rpf?.explanation).toContain('lxcabcd.forwarding is 0');
  });
});

describe('in a flood of sources', () => {
  it('the first are looked at one by one, the rest shares one explanation without addresses', () => {
    const bench = new Bench();
    const drops = Array.from({ length: 1500 }, (_, i) => readDrop({ src: [10, 9, i >> 8, i & 255] }));
    const scene = sceneOf(drops[0] as DropReader);
    const said = drops.map((drop) => bench.explainer.explain(drop, scene).rpf);

    expect(new Set(said.slice(250)).size).toBe(1);
    expect(said[1200]?.reverse_route_unknown).toContain('too many sources at once');
    expect(said[1200]?.explanation).not.toContain('10.9.');
    expect(rpfSchema.parse(JSON.parse(JSON.stringify(said[1200])))).toBeDefined();
  });

  it('each is looked at again in the next second', () => {
    const bench = new Bench();
    const drop = readDrop();
    const scene = sceneOf(drop);
    for (let i = 0; i < 1500; i++)
      bench.explainer.explain(readDrop({ src: [10, 9, i >> 8, i & 255] }), scene);
    const { rpf, staleAtMs } = bench.explainer.explain(drop, scene);
    expect(rpf?.reverse_route).toBeUndefined();

    bench.nowMs = staleAtMs;
    expect(bench.explainer.explain(drop, scene).rpf?.reverse_route?.device).toBe('cilium_host');
  });
});
