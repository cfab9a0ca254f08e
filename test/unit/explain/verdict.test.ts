import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkSource, type FoundRoute, type ReverseRoute } from '../../../src/explain/check.js';
import {
  classify,
  type Facts,
  groundsOf,
  kindOf,
  needsRoute,
  type SourceHook,
} from '../../../src/explain/verdict.js';

const OWN = 12;
const OTHER = 7;

const elsewhere: FoundRoute = {
  kind: 'found',
  type: 'unicast',
  device: 'cilium_host',
  ifindex: OTHER,
  hops: [OTHER],
  table: 254,
  prefix: '10.244.3.0/24',
  certain: true,
};
const back: FoundRoute = { ...elsewhere, device: 'lxcabcd', ifindex: OWN, hops: [OWN] };
const none: ReverseRoute = { kind: 'failed', lookup: 'none', certain: true };
const unknown: ReverseRoute = { kind: 'unknown', why: 'the network namespace was gone' };

interface Given {
  readonly reason?: string | undefined;
  readonly all?: number;
  readonly device?: number;
  readonly unnumbered?: boolean;
  readonly acceptLocal?: boolean;
  readonly customRules?: boolean;
  readonly hasSourceReasons?: boolean;
  readonly hook?: SourceHook;
  readonly src?: string;
  readonly dst?: string;
  readonly location?: string;
  readonly route?: ReverseRoute;
  readonly routeLocalnet?: boolean;
}

function facts({
  reason = 'IP_RPFILTER',
  all = 1,
  device = 0,
  unnumbered = true,
  acceptLocal = false,
  customRules = true,
  hasSourceReasons = true,
  src = '10.244.3.136',
  dst = '203.0.113.9',
  location = 'ip_rcv_finish_core+0x25b',
  hook,
  route = elsewhere,
  routeLocalnet = false,
}: Given = {}): Facts {
  return {
    reason: reason === 'none' ? undefined : reason,
    hasSourceReasons,
    location,
    hook,
    mode: {
      all,
      device,
      effective: Math.max(all, device),
      decided_by: 'all',
      unnumbered,
      accept_local: acceptLocal,
      src_valid_mark: false,
      route_localnet: routeLocalnet,
      forwarding: true,
    },
    packet: { src, dst, mark: 0 },
    route,
    state: {
      all,
      device,
      acceptLocal: { all: acceptLocal, device: false },
      unnumbered,
      ifindex: OWN,
      isLoopback: false,
      customRules,
    },
  };
}

describe('what IP_RPFILTER means', () => {
  it.each([
    [{ all: 1, unnumbered: false }, 'strict_mismatch'],
    [{ all: 1, unnumbered: true }, 'unnumbered_mismatch'],
    [{ all: 2, unnumbered: true }, 'unnumbered_mismatch'],
    [{ all: -1, device: -1, unnumbered: true }, 'unnumbered_mismatch'],
    [{ all: 1, unnumbered: false, route: none }, 'no_reverse_route'],
    [{ all: 2, unnumbered: true, route: none }, 'no_reverse_route'],
    [{ acceptLocal: true, route: { ...elsewhere, type: 'local' } }, 'unnumbered_mismatch'],
  ] as const)('%j: %s', (given, verdict) => {
    expect(classify(facts(given))).toEqual({ verdict });
  });

  it('is known without a lookup where only one branch is left', () => {
    const given = { all: 2, unnumbered: false, route: unknown };
    expect(classify(facts(given))).toEqual({ verdict: 'no_reverse_route' });
  });

  it('is not guessed where the way back is unknown', () => {
    expect(classify(facts({ route: unknown }))).toEqual({
      verdict: undefined,
      verdict_unknown: 'unnumbered_mismatch or no_reverse_route: the network namespace was gone',
    });
  });

  it('is not hidden where the way back says otherwise', () => {
    expect(classify(facts({ route: back }))).toEqual({
      verdict: undefined,
      verdict_unknown: expect.stringContaining('changed since'),
      contradiction: 'now the route back leads to lxcabcd: with it the kernel accepts the source',
    });
    expect(classify(facts({ route: { ...elsewhere, type: 'local' } })).contradiction).toContain(
      'local_source',
    );
  });
});

describe('sources that are refused whatever rp_filter says', () => {
  it.each([
    [{ reason: 'IP_LOCAL_SOURCE', route: { ...elsewhere, type: 'local' } }, 'local_source'],
    [{ reason: 'IP_INVALID_SOURCE', route: { ...elsewhere, type: 'broadcast' } }, 'invalid_source'],
    [{ reason: 'IP_INVALID_SOURCE', src: '224.0.0.1', route: unknown }, 'invalid_source'],
    [{ reason: 'IP_LOCALNET', src: '127.0.0.1', route: unknown }, 'loopback_source'],
    [{ reason: 'IP_LOCALNET', dst: '127.0.0.1', route: unknown }, 'not_rpf'],
  ] as const)('%j: %s', (given, verdict) => {
    expect(classify(facts(given))).toEqual({ verdict });
  });

  it('says when the source is no longer local', () => {
    expect(classify(facts({ reason: 'IP_LOCAL_SOURCE' }))).toMatchObject({
      verdict: 'local_source',
      contradiction: expect.stringContaining('leads to cilium_host'),
    });
  });
});

const SEEN: SourceHook = { refused: true, byFilter: false };

describe('kernels that give no reason', () => {
  const old = { reason: 'NOT_SPECIFIED', hasSourceReasons: false } as const;

  it.each([
    [{ route: { ...elsewhere, type: 'local' } }, 'local_source'],
    [{ route: { ...elsewhere, type: 'broadcast' } }, 'invalid_source'],
    [{ src: '224.0.0.1' }, 'invalid_source'],
    [{ src: '0.0.0.0' }, 'invalid_source'],
    [{ src: '127.0.0.1' }, 'loopback_source'],
  ] as const)('%j: %s, from the state', (given, verdict) => {
    expect(classify(facts({ ...old, ...given }))).toEqual({ verdict, from: 'state' });
  });

  it('say rp_filter only where they have no reasons at all', () => {
    expect(classify(facts({ ...old, reason: 'none' }))).toEqual({
      verdict: 'unnumbered_mismatch',
      from: 'state',
    });
    expect(classify(facts(old)).verdict).toBeUndefined();
  });

  it('are not taken at their word elsewhere, nor for groups, nor where the way back is not certain', () => {
    expect(classify(facts({ ...old, location: 'unix_stream_connect+0x1' })).verdict).toBe('not_rpf');
    expect(classify(facts({ ...old, src: '192.0.2.10', dst: '224.0.0.251' })).verdict).toBeUndefined();
    const route = { ...elsewhere, type: 'local', certain: false, uncertain: 'there are VRFs' } as const;
    expect(classify(facts({ ...old, route }))).toEqual({
      verdict: undefined,
      verdict_unknown: 'there are VRFs',
    });
  });

  it.each([
    [{ route: { ...elsewhere, type: 'local' } }, 'local_source'],
    [{ route: { ...elsewhere, type: 'broadcast' } }, 'invalid_source'],
    [{ src: '224.0.0.1' }, 'invalid_source'],
    [{ src: '127.0.0.1' }, 'loopback_source'],
    [{ reason: 'none' }, 'unnumbered_mismatch'],
  ] as const)('%j: %s, where a hook saw the refusal', (given, verdict) => {
    expect(classify(facts({ ...old, ...given, hook: SEEN }))).toEqual({ verdict, from: 'hook' });
  });

  it('have a hook’s word for rp_filter', () => {
    const hook = { refused: true, byFilter: true };
    expect(classify(facts({ hasSourceReasons: false, hook }))).toEqual({
      verdict: 'unnumbered_mismatch',
      from: 'hook',
    });
  });

  it('refused no source where the hook saw nothing, whatever the state is now', () => {
    const route = { ...elsewhere, type: 'local' } as const;
    const hook = { refused: false, byFilter: false };
    expect(classify(facts({ ...old, route, hook })).verdict).toBe('not_rpf');
    // Sources of packets to groups are checked where the hook is not.
    expect(classify(facts({ ...old, route, hook, dst: '224.0.0.251' })).verdict).toBeUndefined();
  });

  it('contradict the state that would let a refused source in', () => {
    expect(classify(facts({ ...old, all: 0, hook: SEEN }))).toMatchObject({
      verdict: undefined,
      contradiction: expect.stringContaining('accepts the source'),
    });
  });

  it('are told from newer ones, where the same reason means something else', () => {
    expect(classify(facts({ ...old, hasSourceReasons: true })).verdict).toBe('not_rpf');
  });
});

describe('an ARP request without an answer', () => {
  it('is refused for what the check of its source says', () => {
    const request = facts({ reason: 'ARP_REFUSED' });
    expect(classify(request)).toEqual({ verdict: 'arp_refused' });
    expect(groundsOf(request)).toBe('unnumbered_mismatch');
    expect(groundsOf(facts({ reason: 'ARP_REFUSED', all: 0 }))).toBeUndefined();
  });
});

describe('needsRoute', () => {
  it('asks for ordinary sources of refused packets only', () => {
    expect(needsRoute(facts())).toBe(true);
    expect(needsRoute(facts({ reason: 'NO_SOCKET' }))).toBe(false);
    expect(needsRoute(facts({ reason: 'IP_INVALID_SOURCE', src: '255.255.255.255' }))).toBe(false);
  });
});

describe('kindOf', () => {
  it('draws the kernel’s lines', () => {
    const addresses = ['0.0.0.0', '0.0.0.7', '127.255.0.1', '223.255.255.255', '224.0.0.0', '239.1.1.1'];
    expect(addresses.map(kindOf)).toEqual([
      'zero',
      'ordinary',
      'loopback',
      'ordinary',
      'multicast',
      'multicast',
    ]);
    expect(['240.0.0.1', '255.255.255.255'].map(kindOf)).toEqual(['ordinary', 'broadcast']);
  });
});

const anyRoute: fc.Arbitrary<Exclude<ReverseRoute, { kind: 'unknown' }>> = fc.oneof(
  fc.record({
    kind: fc.constant('found' as const),
    type: fc.constantFrom('unicast' as const, 'local' as const, 'broadcast' as const),
    hops: fc.uniqueArray(fc.constantFrom(OWN, OTHER), { minLength: 1 }),
    certain: fc.constant(true),
  }),
  fc.record({
    kind: fc.constant('failed' as const),
    lookup: fc.constantFrom('none' as const, 'unreachable' as const),
    certain: fc.constant(true),
  }),
);
const anyGiven = fc.record({
  all: fc.integer({ min: -1, max: 3 }),
  device: fc.integer({ min: -1, max: 3 }),
  unnumbered: fc.boolean(),
  acceptLocal: fc.boolean(),
  customRules: fc.boolean(),
  route: anyRoute,
});
const REASON_OF = {
  strict_mismatch: 'IP_RPFILTER',
  unnumbered_mismatch: 'IP_RPFILTER',
  no_reverse_route: 'IP_RPFILTER',
  local_source: 'IP_LOCAL_SOURCE',
  invalid_source: 'IP_INVALID_SOURCE',
} as const;

describe('in every state', () => {
  it('the verdict is the branch that refuses there, without contradiction', () => {
    fc.assert(
      fc.property(anyGiven, (given) => {
        const { state } = facts(given);
        const outcome = checkSource({ ...state, route: given.route });
        fc.pre(outcome !== 'accepted');
        expect(classify(facts({ ...given, reason: REASON_OF[outcome] }))).toEqual({ verdict: outcome });
      }),
    );
  });

  it('IP_RPFILTER never becomes another class, and what cannot be is a contradiction', () => {
    fc.assert(
      fc.property(anyGiven, (given) => {
        const { state } = facts(given);
        const outcome = checkSource({ ...state, route: given.route });
        const { verdict, contradiction } = classify(facts(given));
        const isFilter = outcome !== 'accepted' && REASON_OF[outcome] === 'IP_RPFILTER';
        expect(contradiction !== undefined).toBe(!isFilter);
        expect([undefined, 'strict_mismatch', 'unnumbered_mismatch', 'no_reverse_route']).toContain(verdict);
      }),
    );
  });
});
