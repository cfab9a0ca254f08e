import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkSource } from '../../../src/explain/check.js';
import { type Ailment, afterwards, isCured } from '../../../src/explain/fix.js';
import { findRemedy } from '../../../src/incident/fix.js';
import { MODE_ON } from '../../fixtures/mode.js';
import { BY_CILIUM_HOST } from '../../fixtures/routes.js';
import { ailmentOf, NETNS, World } from '../../fixtures/world.js';

const back = { scope: 'all', setting: 'rp_filter', value: 0 };

/** Refused on lxcabcd because of all.rp_filter=1. */
function patient(
  given: Partial<Omit<Ailment, 'state'>> & { state?: Partial<Ailment['state']> } = {},
): Ailment {
  const plain = ailmentOf(given.device ?? 'lxcabcd');
  return { ...plain, ...given, state: { ...plain.state, ...given.state } };
}

describe('what ends an incident', () => {
  it('is the change set back, where that is enough for every device', () => {
    const others = [
      patient({ device: 'lxcef01' }),
      patient({ device: 'eth0', state: { unnumbered: false } }),
    ];
    expect(findRemedy([patient(), ...others], back)).toEqual({ settings: [back], isSetBack: true });
  });

  it('is what cures each drop, where one device is refused without the change as well', () => {
    const other = patient({ device: 'lxcef01', state: { device: 2 } });
    expect(findRemedy([patient(), other], back)).toEqual({
      settings: [back, { scope: 'lxcef01', setting: 'rp_filter', value: 0 }],
      isSetBack: false,
    });
  });

  it('is never ip_forward set back: the packets would die all the same', () => {
    const forwarding = { scope: 'all', setting: 'forwarding', value: 0 };
    expect(findRemedy([patient()], forwarding)).toEqual({ settings: [back], isSetBack: false });
  });

  it('sets default back too, where devices to come would be born with it', () => {
    const toDefault = { scope: 'default', setting: 'rp_filter', value: 0 };
    const born = patient({ state: { all: 0, device: 1 } });
    expect(findRemedy([born], toDefault).settings).toEqual([
      toDefault,
      { scope: 'lxcabcd', setting: 'rp_filter', value: 0 },
    ]);
  });

  it('is known even where the way back is not, when the kernel itself said that rp_filter refused', () => {
    const route = { kind: 'unknown', why: 'the namespace was gone' } as const;
    expect(findRemedy([patient({ route })], undefined).settings).toEqual([back]);
    const local = patient({ route, isByFilter: false, verdict: 'local_source' });
    expect(findRemedy([local], back)).toMatchObject({ settings: [], unknown: expect.any(String) });
  });

  it('is nothing where the settings that one drop needs refuse another', () => {
    const route = { ...BY_CILIUM_HOST, type: 'local' } as const;
    const srcValidMark = { all: true, device: false };
    const needsMarkOff = patient({
      isByFilter: false,
      srcValidMark,
      route: { ...route, type: 'broadcast' },
      routeWithoutMark: BY_CILIUM_HOST,
      state: { all: 0 },
    });
    const needsMark = patient({
      device: 'lxcef01',
      isByFilter: false,
      srcValidMark,
      route,
      routeWithoutMark: { ...route, type: 'broadcast' },
      state: { all: 0 },
    });
    expect(findRemedy([needsMarkOff, needsMark], undefined).unknown).toContain('proven');
  });

  it('ends every drop of it, as the model of the kernel has it', () => {
    const value = fc.integer({ min: -1, max: 3 });
    const one = fc.record({ device: value, unnumbered: fc.boolean(), isLocal: fc.boolean() });
    fc.assert(
      fc.property(value, fc.array(one, { minLength: 1, maxLength: 6 }), value, (all, devices, old) => {
        const patients = devices
          .map(({ isLocal, ...state }, index) =>
            patient({
              device: `lxc${index}`,
              route: { ...BY_CILIUM_HOST, type: isLocal ? 'local' : 'unicast' },
              state: { ...state, all },
            }),
          )
          .filter((ailment) => !isCured(ailment));
        fc.pre(patients.length > 0);
        const { settings } = findRemedy(patients, { ...back, value: old });
        expect(settings.length).toBeGreaterThan(0);
        for (const ailment of patients) {
          const { state, route } = afterwards(ailment, settings);
          if (route.kind === 'unknown') throw new Error('the way back is known');
          expect(checkSource({ ...state, route })).toBe('accepted');
        }
      }),
    );
  });
});

describe('an incident', () => {
  it('of settings that are older than the trace has the fix of its drops', () => {
    const world = new World().devices({ eth0: 1 });
    world.settings.baseline(NETNS);
    world.drop({ device: 'eth0', ailment: { state: { ...ailmentOf('eth0').state, unnumbered: false } } });
    world.tell();
    expect(world.told[0]?.cause.kind).toBe('unknown');
    expect(world.told[0]?.fix).toEqual(['sysctl -w net.ipv4.conf.eth0.rp_filter=2']);
    expect(world.told[0]?.summary).toContain('end it with: sysctl -w net.ipv4.conf.eth0.rp_filter=2.');
  });

  it('names the file that will set it again, when it is open and when it was set back', () => {
    const line = {
      file: '/etc/sysctl.d/50-hardening.conf',
      line: 3,
      key: ALL,
      value: '1',
      by: 'sysctl',
    } as const;
    const world = incident({ undoing: () => ({ persisted: [line] }) });
    expect(world.told[0]?.persisted).toEqual([{ ...line, at_boot: true }]);
    expect(world.told[0]?.summary).toMatch(/; \/etc\/sysctl\.d\/50-hardening\.conf:3 will set it again\.$/);
    world.write('all', '0', { pid: 99, comm: 'cilium-agent', args: ['cilium-agent'] });
    world.settle();
    world.pass(2500);
    world.tell();
    expect(world.told.at(-1)?.summary).toMatch(
      /^.*; it ended at 00:00:10: Cilium’s own reconciliation, .*; \/etc\/sysctl\.d\/50-hardening\.conf:3 will set it again\.$/,
    );
  });

  it('names the line that the writer read, and that it is not one of those that are applied at boot', () => {
    const line = { file: '/root/harden.conf', line: 1, key: ALL, value: '1', by: 'sysctl' } as const;
    const world = incident({ sourceOf: () => line });
    expect(world.told[0]?.persisted).toEqual([{ ...line, at_boot: false, read_by_writer: true }]);
    expect(world.told[0]?.summary).toContain(
      '; /root/harden.conf:1 (read by tuned) will set it again whenever it is read.',
    );
    const both = incident({ sourceOf: () => line, undoing: () => ({ persisted: [line] }) });
    expect(both.told[0]?.persisted).toEqual([{ ...line, at_boot: true, read_by_writer: true }]);
  });

  it('whose cause is older than the trace has hints that say that they are no more than that', () => {
    const time = '2026-11-22T09:40:11.000000000Z';
    const world = new World({
      hints: (key, value) => [
        { kind: 'file_written', name: `/etc/sysctl.d/${key}=${value}:3`, time },
        { kind: 'process_started', name: 'tuned (pid 812)', time },
      ],
    }).devices({ lxcabcd: 0, all: 1 });
    world.settings.baseline(NETNS);
    world.drop();
    world.tell();
    expect(world.told[0]?.cause.hints).toHaveLength(2);
    expect(world.told[0]?.summary).toContain(
      `who set it is not known (hints, no proof: /etc/sysctl.d/${ALL}=1:3 sets this value and was written 2026-11-22 09:40:11 UTC, tuned (pid 812) was started 2026-11-22 09:40:11 UTC); since`,
    );
  });

  it('goes by what a drop found, whatever is learned later of the time before it', () => {
    const world = new World().devices({ lxcabcd: 0, all: 1 });
    world.settings.baseline(NETNS);
    world.write('all', '0');
    const [late] = world.settings.settle('idle');
    world.pass(1000);
    world.drop({ mode: MODE_ON });
    if (late) world.incidents.learn(late);
    world.tell();
    expect(world.told[0]?.fix).toEqual([`sysctl -w ${ALL}=0`]);
  });

  it('counts the pods that lost packets', () => {
    const world = incident({}, ['default/web-0', 'default/web-1', 'default/web-0']);
    expect(world.told[0]).toMatchObject({ pods: ['default/web-0', 'default/web-1'], pods_count: 2 });
    expect(world.told[0]?.summary).toContain(' default/web-0, default/web-1 (lxcabcd) lost 3 packets');
    expect(incident({}, ['default/web-0']).told[0]?.summary).toContain(
      ' default/web-0 (lxcabcd) lost 1 packet',
    );
  });
});

const ALL = 'net.ipv4.conf.all.rp_filter';

/** Told of once: all.rp_filter was set to 1, and each of these pods lost a packet. */
function incident(
  options: ConstructorParameters<typeof World>[0],
  pods: (string | undefined)[] = [undefined],
): World {
  const world = new World(options).devices({ lxcabcd: 0 });
  world.settings.baseline(NETNS);
  world.write('all', '1');
  world.settle();
  for (const pod of pods) world.drop({ pod });
  world.tell();
  return world;
}
