import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { VerdictName } from '../../../src/events.js';
import { checkSource, type FoundRoute, type ReverseRoute } from '../../../src/explain/check.js';
import { type Ailment, findCure, settingKey } from '../../../src/explain/fix.js';
import { findPlace } from '../../../src/explain/namespace.js';
import { BY_CILIUM_HOST } from '../../fixtures/routes.js';

const OWN = 12;
const local: FoundRoute = { ...BY_CILIUM_HOST, type: 'local', prefix: '192.0.2.10/32', table: 255 };
const here = findPlace(undefined, undefined);

type Given = Partial<Omit<Ailment, 'state' | 'route'>> & {
  readonly state?: Partial<Ailment['state']>;
  readonly route?: ReverseRoute;
};

/** A packet of a Cilium pod, refused because of all.rp_filter=1. */
function ailment({ state, ...given }: Given = {}): Ailment {
  const route = given.route ?? BY_CILIUM_HOST;
  const whole = {
    all: 1,
    device: 0,
    acceptLocal: { all: false, device: false },
    unnumbered: true,
    ifindex: OWN,
    isLoopback: false,
    customRules: true,
    ...state,
  };
  const outcome = route.kind === 'unknown' ? undefined : checkSource({ ...whole, route });
  return {
    verdict: outcome as VerdictName | undefined,
    isByFilter: false,
    src: '10.244.3.136',
    device: 'lxcabcd',
    isPodDevice: false,
    srcValidMark: { all: false, device: false },
    routeWithoutMark: undefined,
    ...given,
    route,
    state: whole,
  };
}

function fixes(given: Given): readonly string[] | undefined {
  return findCure(ailment(given), here).fix;
}

const set = (...settings: string[]) =>
  `sysctl -w ${settings.map((setting) => `net.ipv4.conf.${setting}`).join(' ')}`;

describe('rp_filter', () => {
  it.each([
    ['all alone, where the device is off', { all: 1, device: 0 }, [set('all.rp_filter=0')]],
    ['the device alone, where all is off', { all: 0, device: 1 }, [set('lxcabcd.rp_filter=0')]],
    ['both, where both are on', { all: 1, device: 2 }, [set('lxcabcd.rp_filter=0', 'all.rp_filter=0')]],
    [
      'either, where both are below 0',
      { all: -1, device: -1 },
      [set('lxcabcd.rp_filter=0'), set('all.rp_filter=0')],
    ],
  ])('unnumbered: %s', (_name, state, fix) => {
    expect(fixes({ state })).toEqual(fix);
  });

  it('numbered: loose mode on the device comes first, whatever all says', () => {
    const [first] = fixes({ state: { all: 1, device: 0, unnumbered: false } }) ?? [];
    expect(first).toBe(set('lxcabcd.rp_filter=2'));
  });

  it('without a route back loose mode is no cure', () => {
    const route = { kind: 'failed', lookup: 'none', certain: true } as const;
    expect(fixes({ route, state: { all: 0, device: 2, unnumbered: false } })).toEqual([
      set('lxcabcd.rp_filter=0'),
    ]);
  });
});

describe('other cures', () => {
  it('a route of its own for the pod, in the table of the one that leads elsewhere', () => {
    expect(fixes({ isPodDevice: true })).toEqual([
      set('all.rp_filter=0'),
      'ip route replace 10.244.3.136/32 dev lxcabcd',
    ]);
    expect(fixes({ isPodDevice: true, route: { ...BY_CILIUM_HOST, table: 77 } })).toContain(
      'ip route replace 10.244.3.136/32 dev lxcabcd table 77',
    );
  });

  it('no such route for an address that the default route leads to: it may be forged', () => {
    expect(fixes({ isPodDevice: true, route: { ...BY_CILIUM_HOST, prefix: '0.0.0.0/0' } })).toHaveLength(1);
  });

  it('accept_local, with rp_filter where that would refuse next', () => {
    expect(fixes({ route: local, state: { all: 0 } })).toEqual([set('lxcabcd.accept_local=1')]);
    expect(fixes({ route: local, state: { all: 1 } })).toEqual([
      set('lxcabcd.accept_local=1', 'all.rp_filter=0'),
    ]);
  });

  it('src_valid_mark wherever it is on, where the mark leads astray', () => {
    const given = {
      route: { ...local, prefix: '0.0.0.0/0' },
      routeWithoutMark: BY_CILIUM_HOST,
      state: { all: 0 },
    };
    expect(fixes({ ...given, srcValidMark: { all: true, device: true } })?.[0]).toBe(
      set('lxcabcd.src_valid_mark=0', 'all.src_valid_mark=0'),
    );
  });

  it('none, with why, where the sender has to change or nothing is known', () => {
    expect(findCure(ailment({ verdict: 'loopback_source' }), here)).toEqual({
      fix_unknown: expect.stringContaining('sender'),
      settings: [],
    });
    const unknown = { kind: 'unknown', why: 'the namespace was gone' } as const;
    expect(findCure(ailment({ verdict: 'no_reverse_route', route: unknown }), here).fix_unknown).toContain(
      'gone',
    );
    expect(findCure(ailment({ verdict: 'not_rpf' }), here)).toEqual({ settings: [] });
  });
});

describe('in every state', () => {
  const anyRoute = fc.oneof(
    fc.constant(BY_CILIUM_HOST),
    fc.constant(local),
    fc.constant({ kind: 'failed', lookup: 'none', certain: true } as const),
  );
  const anyState = fc.record({
    all: fc.integer({ min: -1, max: 3 }),
    device: fc.integer({ min: -1, max: 3 }),
    unnumbered: fc.boolean(),
    customRules: fc.boolean(),
  });

  it('there is a cure, and its settings end the drop as the model of the kernel has it', () => {
    fc.assert(
      fc.property(anyState, anyRoute, (state, route) => {
        const given = ailment({ state, route });
        fc.pre((given.verdict as string) !== 'accepted');
        const { settings, fix } = findCure(given, here);
        const values = new Map(settings.map(({ scope, setting, value }) => [`${scope}.${setting}`, value]));
        const device = values.get('lxcabcd.rp_filter') ?? given.state.device;
        const all = values.get('all.rp_filter') ?? given.state.all;
        const acceptLocal = { all: false, device: values.has('lxcabcd.accept_local') };

        expect(fix?.length).toBeGreaterThan(0);
        expect(checkSource({ ...given.state, all, device, acceptLocal, route })).toBe('accepted');
        if (state.unnumbered) expect(fix?.join()).not.toContain('rp_filter=2');
      }),
    );
  });
});

describe('the words', () => {
  it('name a device with dots as sysctl(8) wants it', () => {
    expect(settingKey('eth0.100', 'rp_filter')).toBe('net.ipv4.conf.eth0/100.rp_filter');
  });

  it('are quoted for a shell', () => {
    const [fix] = fixes({ device: "a'b;c", state: { all: 0, device: 1 } }) ?? [];
    expect(fix).toBe("sysctl -w 'net.ipv4.conf.a'\\''b;c.rp_filter=0'");
  });
});
