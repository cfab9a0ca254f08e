import { describe, expect, test } from 'vitest';
import { ROUTE_ACTION, ROUTE_CHANGED } from '../../../src/record/layout.gen.js';
import type { RouteChangeFields } from '../../fixtures/batch.js';
import { BY_CILIUM_HOST } from '../../fixtures/routes.js';
import { ailmentOf, NETNS, World } from '../../fixtures/world.js';

const { ACTION_ADDED, ACTION_DELETED, ACTION_DOWN, ACTION_REPLACED, ACTION_UP } = ROUTE_ACTION;
const { CHANGED_ADDRESS, CHANGED_LINK, CHANGED_MANY, CHANGED_MISSED, CHANGED_NEXTHOP, CHANGED_RULE } =
  ROUTE_CHANGED;
const KERNEL = { portId: 0, protocol: 2 };

/** The route of the pod by its own device, ifindex 12. */
const ENDPOINT: RouteChangeFields = {
  prefix: '10.244.3.136/32',
  ifindex: 12,
  hops: [12],
  device: 'lxcabcd',
  gateway: '0.0.0.0',
};
const DELETED = { ...ENDPOINT, action: ACTION_DELETED };

describe('an incident that a change of routes made', () => {
  test('names who deleted which route, what that did, and what puts it back', () => {
    const world = checked();
    world.change(DELETED);
    world.pass(2000);
    world.drop({ count: 3 });
    world.tell();
    expect(world.told).toMatchObject([
      {
        cause: {
          kind: 'route_change',
          route: {
            time: '1970-01-01T00:00:10.000000000Z',
            what: 'route',
            action: 'deleted',
            text: '10.244.3.136/32 dev lxcabcd',
            netns: NETNS,
            table: 254,
            prefix: '10.244.3.136/32',
            device: 'lxcabcd',
            type: 'unicast',
            port_id: 812,
            writer: { pid: 812, comm: 'ip' },
            writer_by: 'socket',
          },
          certain: true,
        },
        seconds_to_first_drop: 2,
        drops: 3,
        fix: ['ip route replace 10.244.3.136/32 dev lxcabcd'],
      },
    ]);
    expect(world.told[0]?.summary).toBe(
      '00:00:10 UTC ip (pid 812, ip route del, parent deploy) deleted the route 10.244.3.136/32 dev lxcabcd; since 00:00:12 lxcabcd lost 3 packets from 10.244.3.136; set it back with: ip route replace 10.244.3.136/32 dev lxcabcd.',
    );
  });

  test('ends when a change lets the source in, which the kernel is asked for', () => {
    const world = checked();
    world.change(DELETED);
    world.drop();
    world.tell();
    world.pass(1000);
    world.change({ ...ENDPOINT, prefix: '10.99.0.0/16' });
    world.reverse = { route: { ...BY_CILIUM_HOST, hops: [12] }, customRules: true };
    world.change({ ...ENDPOINT, action: ACTION_ADDED });
    world.pass(2000);
    world.tell();
    expect(world.told.at(-1)).toMatchObject({
      state: 'closed',
      closed_by: { kind: 'route_change', route: { action: 'added', text: '10.244.3.136/32 dev lxcabcd' } },
      fix: [],
    });
    expect(world.told.at(-1)?.summary).toContain(
      'it ended at 00:00:11: ip (pid 812, ip route del, parent deploy) added the route 10.244.3.136/32 dev lxcabcd.',
    );
  });

  test('does not end while the way back is another one still, or not known', () => {
    const world = checked();
    world.change(DELETED);
    world.drop();
    world.pass(1000);
    world.reverse = { route: BY_CILIUM_HOST, customRules: true };
    world.change({ ...ENDPOINT, action: ACTION_ADDED });
    world.reverse = { route: { kind: 'unknown', why: 'x' }, customRules: true };
    world.change({ ...ENDPOINT, action: ACTION_ADDED });
    world.pass(5000);
    world.tell();
    expect(world.told.at(-1)?.state).toBe('open');
  });

  test('goes on when drops come although it should be over, and when the route goes again', () => {
    const world = checked();
    world.change(DELETED);
    world.drop();
    world.pass(1000);
    world.reverse = { route: { ...BY_CILIUM_HOST, hops: [12] }, customRules: true };
    world.change({ ...ENDPOINT, action: ACTION_ADDED });
    world.pass(200);
    const [incident] = [world.drop()];
    world.tell();
    expect(incident?.isOpen).toBe(true);
    expect(world.incidents.hasOpen).toBe(true);
    world.pass(2000);
    world.tell();
    expect(world.told.at(-1)?.state).not.toBe('closed');
  });

  test('stays one while routes come and go', () => {
    const world = checked();
    for (let index = 0; index < 1000; index++) {
      world.change(index % 2 ? { ...ENDPOINT, action: ACTION_ADDED } : DELETED);
      world.drop();
      world.pass(5);
    }
    world.tell();
    expect(new Set(world.told.map(({ id }) => id))).toEqual(new Set(['i-1']));
  });

  test('ends one that a setting made, too', () => {
    const world = checked({ lxcabcd: 0 });
    world.write('all', '1');
    world.settle();
    world.drop();
    world.tell();
    world.pass(1000);
    world.reverse = { route: { ...BY_CILIUM_HOST, hops: [12] }, customRules: true };
    world.change({ ...ENDPOINT, action: ACTION_ADDED });
    world.pass(2000);
    world.tell();
    expect(world.told.at(-1)).toMatchObject({
      state: 'closed',
      cause: { kind: 'sysctl_change' },
      closed_by: { kind: 'route_change' },
    });
  });
});

describe('the culprit among changes of routes', () => {
  test('is the setting where that came later, or where the route is not proven', () => {
    const later = checked({ lxcabcd: 0 });
    later.change(DELETED);
    later.pass(1000);
    later.write('all', '1');
    expect(causeIn(later).kind).toBe('sysctl_change');

    const unproven = checked({ lxcabcd: 0 });
    unproven.write('all', '1');
    unproven.settle();
    unproven.pass(1000);
    unproven.change({ what: CHANGED_RULE, prefix: '0.0.0.0/0' });
    expect(causeIn(unproven).kind).toBe('sysctl_change');
  });

  test('is the route where the setting had been there all along', () => {
    const world = checked({ lxcabcd: 0 });
    world.write('all', '1');
    world.settle();
    world.pass(60_000);
    world.change(DELETED);
    expect(causeIn(world)).toMatchObject({ kind: 'route_change', certain: true });
  });

  test('was proven long before, or is none', () => {
    const proven = checked();
    proven.change(DELETED);
    proven.pass(3_600_000);
    expect(causeIn(proven).kind).toBe('route_change');

    const possible = checked();
    possible.change({ what: CHANGED_RULE, prefix: '0.0.0.0/0' });
    possible.pass(31_000);
    expect(causeIn(possible).kind).toBe('unknown');
  });

  test('is not what came after the drop, elsewhere, or for other sources', () => {
    const world = checked();
    world.change({ ...DELETED, notBeforeNs: world.nowNs + 2_000_000n });
    world.change({ ...DELETED, netns: 8 });
    world.change({ ...DELETED, prefix: '10.244.4.0/24' });
    world.change({ ...DELETED, hops: [7], ifindex: 7 });
    world.change({ ...DELETED, prefix: '10.0.0.0/8' });
    world.change({ what: CHANGED_RULE, prefix: '10.9.0.0/16' });
    world.change({ what: CHANGED_RULE, prefix: '0.0.0.0/0', mark: 0x200, markMask: 0xf00 });
    world.change({ what: CHANGED_LINK, action: ACTION_UP, ifindex: 12 });
    world.change({ what: CHANGED_LINK, action: ACTION_DOWN, ifindex: 7 });
    world.change({ what: CHANGED_NEXTHOP, nexthopId: 5 });
    expect(causeIn(world).kind).toBe('unknown');
  });

  test('that replaced a route is proven where it is known which', () => {
    const unknown = checked();
    unknown.change({});
    expect(causeIn(unknown)).toMatchObject({
      certain: false,
      uncertain: 'what the way back was before it is not known',
      route: { action: 'replaced', text: '10.244.3.0/24 via 10.244.3.1 dev cilium_host' },
    });

    const known = checked();
    known.change({ hops: [12], ifindex: 12, action: ACTION_ADDED });
    known.change({});
    expect(causeIn(known)).toMatchObject({ certain: true });

    const byHand = checked();
    byHand.change({ hops: [12], ifindex: 12, action: ACTION_DELETED });
    byHand.change({ action: ACTION_ADDED });
    expect(causeIn(byHand)).toMatchObject({ certain: true });

    const same = checked();
    same.change({ action: ACTION_ADDED });
    same.change({ action: ACTION_REPLACED });
    expect(causeIn(same)).toMatchObject({ kind: 'route_change', certain: false });
  });

  test('is the address or the device that the kernel took a route away with', () => {
    const world = checked();
    const address = { what: CHANGED_ADDRESS, ifindex: 12, device: 'lxcabcd', prefix: '10.244.3.129/25' };
    world.change({ ...address, action: ACTION_DELETED });
    world.change({ ...DELETED, ...KERNEL, prefix: '10.244.3.128/25' });
    world.drop();
    world.tell();
    expect(world.told[0]).toMatchObject({
      cause: {
        certain: true,
        route: { what: 'address', action: 'deleted', text: '10.244.3.129/25 dev lxcabcd' },
        came_with: { what: 'route', text: '10.244.3.128/25 dev lxcabcd' },
      },
      fix: ['ip address add 10.244.3.129/25 dev lxcabcd'],
    });
    expect(world.told[0]?.summary).toContain(
      'deleted the address 10.244.3.129/25 dev lxcabcd, and with it the route 10.244.3.128/25 dev lxcabcd; since',
    );
  });

  test('is the address without which loose mode refuses like strict', () => {
    const world = checked({ lxcabcd: 2, all: 0 });
    world.change({ what: CHANGED_ADDRESS, action: ACTION_DELETED, ifindex: 12, prefix: '192.0.2.7/32' });
    expect(causeIn(world)).toMatchObject({ certain: true, route: { what: 'address', action: 'deleted' } });
  });

  test('is the address that made a source local', () => {
    const world = checked({ lxcabcd: 0, all: 0 });
    world.change({ what: CHANGED_ADDRESS, action: ACTION_ADDED, ifindex: 7, prefix: '10.244.3.136/24' });
    world.drop({
      reason: 'IP_LOCAL_SOURCE',
      verdict: 'local_source',
      ailment: { verdict: 'local_source', isByFilter: false, route: { ...BY_CILIUM_HOST, type: 'local' } },
    });
    world.tell();
    expect(world.told[0]?.cause).toMatchObject({
      certain: true,
      route: { text: '10.244.3.136/24 dev cilium_host' },
    });
  });

  test('is a device that went down, perhaps: the kernel does not say which routes went with it', () => {
    const world = checked();
    world.change({ what: CHANGED_LINK, action: ACTION_DOWN, ifindex: 12, portId: 0, device: 'lxcabcd' });
    world.drop();
    world.tell();
    expect(world.told[0]?.summary).toContain(
      '00:00:10 UTC somebody unknown (the kernel does not say who changes devices) set lxcabcd down, which may have made it (not proven: the kernel takes routes by a device away without telling which); since',
    );
  });

  test('among too many to tell may be any', () => {
    const world = checked();
    world.change({ what: CHANGED_MANY, count: 100_000n, portId: 0 });
    expect(causeIn(world)).toMatchObject({ route: { what: 'many', count: 100_000 }, certain: false });
    const missed = checked();
    missed.change({ what: CHANGED_MISSED, portId: 0 });
    missed.drop();
    missed.tell();
    expect(missed.told[0]?.summary).toContain('there were more changes than could be heard');
  });

  test('of another table is one perhaps', () => {
    const world = checked();
    world.change({ ...DELETED, table: 100 });
    expect(causeIn(world)).toMatchObject({
      certain: false,
      uncertain: 'policy rules decide which tables a lookup goes through',
      route: { text: '10.244.3.136/32 dev lxcabcd table 100' },
    });
  });

  test('of a source with no way back at all is the route that was its', () => {
    const world = checked();
    world.change(DELETED);
    const none = { kind: 'failed', lookup: 'none', certain: true } as const;
    world.drop({ ailment: { route: none, state: { ...ailmentOf('lxcabcd').state, customRules: false } } });
    world.tell();
    expect(world.told[0]?.cause).toMatchObject({ kind: 'route_change', certain: true });
  });

  test('who is gone is told by number', () => {
    const world = checked();
    world.change({ ...DELETED, asker: { why: 'process 812 was gone' } });
    world.drop();
    world.tell();
    expect(world.told[0]?.cause.route).toMatchObject({
      port_id: 812,
      writer_unknown: 'process 812 was gone',
    });
    expect(world.told[0]?.summary).toContain('somebody unknown (process 812 was gone) deleted the route');
  });
});

/** A namespace whose settings are known, with the check on. */
function checked(devices: Record<string, number> = { all: 1, lxcabcd: 0 }): World {
  const world = new World().devices(devices);
  world.settings.baseline(NETNS);
  return world;
}

function causeIn(world: World) {
  world.settle();
  world.drop();
  world.tell();
  return world.told[0]?.cause ?? { kind: 'none' };
}
