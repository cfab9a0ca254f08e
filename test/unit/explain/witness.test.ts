import { describe, expect, it } from 'vitest';
import type { ReverseRoute } from '../../../src/explain/check.js';
import type { Evidence } from '../../../src/explain/route.js';
import { SeenLookups } from '../../../src/explain/witness.js';
import type { DropReader } from '../../../src/record/decode.js';
import { FLAGS } from '../../../src/record/layout.gen.js';
import type { DropFields } from '../../fixtures/batch.js';
import { readDrop } from '../../fixtures/reading.js';

const passage = { netns: 7, src: '10.244.3.136', dst: '203.0.113.9', mark: 0 };
const FLAGS_OF_DROP = FLAGS.DEVICE | FLAGS.CONF | FLAGS.L3;

const replay: Evidence = {
  customRules: false,
  route: {
    kind: 'found',
    type: 'unicast',
    hops: [4],
    device: 'cilium_host',
    ifindex: 4,
    gateway: '10.244.3.1',
    table: 254,
    prefix: '10.244.3.0/24',
    certain: false,
    uncertain: 'there are VRFs',
  },
};

function failed(lookup: 'none' | 'unreachable' | 'rule'): Evidence {
  return { customRules: lookup === 'rule', route: { kind: 'failed', lookup, certain: true } };
}

function dropOf(fields: DropFields, flags: number = FLAGS.WITNESS): DropReader {
  return readDrop({ flags: FLAGS_OF_DROP | flags, ...fields });
}

function refine(evidence: Evidence, fields: DropFields = {}): ReverseRoute {
  return new SeenLookups().refine(passage, evidence, dropOf(fields)).route;
}

describe('what the kernel was seen to look up', () => {
  it('makes the route certain where the kernel says the same when it is asked', () => {
    expect(refine(replay)).toEqual({
      ...replay.route,
      certain: true,
      uncertain: undefined,
      evidence: 'kernel',
    });
  });

  it('is told instead where the kernel says something else now', () => {
    expect(
      refine(replay, { witnessIfindex: 9, witnessDevice: 'eth1', witnessGateway: [0, 0, 0, 0] }),
    ).toEqual({
      kind: 'found',
      type: 'unicast',
      hops: [9],
      device: 'eth1',
      ifindex: 9,
      gateway: undefined,
      table: 254,
      certain: true,
      uncertain: undefined,
      evidence: 'kernel',
      asked: '10.244.3.0/24 by cilium_host',
    });
  });

  it('is all there is where the routes cannot be asked for any more', () => {
    const gone: Evidence = { customRules: false, route: { kind: 'unknown', why: 'gone' } };
    expect(refine(gone)).toMatchObject({ kind: 'found', device: 'cilium_host', evidence: 'kernel' });
  });

  it.each([
    ['none', -11],
    ['unreachable', -113],
  ] as const)('confirms that there is no route: %s', (lookup, witnessErrno) => {
    expect(refine(failed(lookup), { witnessErrno })).toMatchObject({
      lookup,
      certain: true,
      evidence: 'kernel',
    });
  });

  it('tells a rule that ends lookups from a route of that type', () => {
    expect(refine(failed('rule'), { witnessErrno: -11 })).toMatchObject({ lookup: 'rule', certain: true });
    expect(refine(failed('rule'), { witnessErrno: -113 })).toMatchObject({ lookup: 'unreachable' });
  });

  it('leaves what several next hops make uncertain as it is', () => {
    const { route } = replay;
    const several: Evidence = { ...replay, route: { ...route, hops: [3, 4] } as ReverseRoute };
    expect(refine(several)).toMatchObject({
      evidence: 'kernel',
      certain: false,
      uncertain: 'there are VRFs',
    });
  });
});

describe('what was seen for one drop', () => {
  it('serves later drops of the flow as long as the routes say the same', () => {
    const seen = new SeenLookups();
    const first = seen.refine(passage, replay, dropOf({}));
    expect(seen.refine(passage, replay, dropOf({}, 0))).toBe(first);
    const moved: Evidence = { customRules: false, route: { kind: 'failed', lookup: 'none', certain: true } };
    expect(seen.refine(passage, moved, dropOf({}, 0))).toBe(moved);
    expect(seen.refine(passage, replay, dropOf({}, 0))).toBe(replay);
  });

  it('says nothing of another source, or of the drops that are counted together later', () => {
    const seen = new SeenLookups();
    seen.refine(passage, replay, dropOf({}));
    expect(seen.refine({ ...passage, src: '10.244.3.137' }, replay, dropOf({}, 0))).toBe(replay);
    expect(new SeenLookups().refine(passage, replay, dropOf({}, FLAGS.WITNESS | FLAGS.AGGREGATE))).toBe(
      replay,
    );
  });
});
