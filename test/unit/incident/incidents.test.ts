import { describe, expect, test } from 'vitest';
import { MODE_OFF, MODE_ON } from '../../fixtures/mode.js';
import { BY_CILIUM_HOST } from '../../fixtures/routes.js';
import { NETNS, World } from '../../fixtures/world.js';

const NODE = { lxcabcd: 0, lxcef01: 0, cilium_host: 0 };
const TUNED = 'tuned (pid 812, /usr/sbin/tuned -l -P, parent systemd)';

describe('an incident', () => {
  test('names who set what, who lost what since, and what undoes it', () => {
    const world = known();
    world.write('all', '1');
    world.settle();
    world.pass(2000);
    world.drop({ count: 1284 });
    world.drop({ device: 'lxcef01', src: '10.244.3.137' });
    world.tell();
    expect(world.told).toMatchObject([
      {
        id: 'i-1',
        state: 'open',
        netns: NETNS,
        cause: { kind: 'sysctl_change', change: { old: '0', new: '1', writer: { comm: 'tuned' } } },
        first_drop: '1970-01-01T00:00:12.000000000Z',
        seconds_to_first_drop: 2,
        drops: 1285,
        devices: ['lxcabcd', 'lxcef01'],
        sources: ['10.244.3.136', '10.244.3.137'],
        reasons: ['IP_RPFILTER'],
        fix: ['sysctl -w net.ipv4.conf.all.rp_filter=0'],
      },
    ]);
    expect(world.told[0]?.summary).toBe(
      `00:00:10 UTC ${TUNED} set net.ipv4.conf.all.rp_filter 0 -> 1; since 00:00:12 lxcabcd, lxcef01 lost 1,285 packets from 10.244.3.136, 10.244.3.137; set it back with: sysctl -w net.ipv4.conf.all.rp_filter=0.`,
    );
  });

  test('is told again at most once a second, and only when it has grown', () => {
    const world = opened();
    for (let index = 0; index < 30; index++) {
      world.drop();
      world.pass(100);
      world.tell();
    }
    expect(world.told.map(({ state }) => state)).toEqual(['open', 'update', 'update', 'update']);
    world.pass(5000);
    world.tell();
    expect(world.told.length).toBe(4);
  });

  test('ends when the value is set back, naming who did it, with the drops that came out late', () => {
    const world = opened();
    world.pass(5000);
    world.write('all', '0', { pid: 99, comm: 'cilium-agent', args: ['cilium-agent'] });
    world.settle();
    world.pass(900);
    world.tell();
    world.drop({ count: 41, ageMs: 900 });
    world.tell();
    expect(world.told.at(-1)).toMatchObject({ state: 'update', drops: 42, fix: [] });
    world.pass(1600);
    world.tell();
    const closed = world.told.at(-1);
    expect(closed).toMatchObject({
      state: 'closed',
      drops: 42,
      fix: [],
      closed_by: { kind: 'sysctl_change' },
    });
    expect(closed?.summary).toContain(
      'it ended at 00:00:15: Cilium’s own reconciliation, cilium-agent (pid 99,',
    );
    expect(world.incidents.hasOpen).toBe(false);
  });

  test('that Cilium ended before its first drop was read is over, too, and by Cilium', () => {
    const world = known();
    world.write('all', '1');
    world.pass(200);
    world.write('all', '0', { pid: 99, comm: 'cilium-agent', args: ['cilium-agent'] });
    world.settle();
    world.drop({ ageMs: 100, mode: MODE_ON });
    world.tell();
    world.pass(2000);
    world.tell();
    expect(world.told).toMatchObject([
      { state: 'open', cause: { change: { writer: { comm: 'tuned' } } }, fix: [] },
      { state: 'closed', closed_by: { kind: 'sysctl_change' } },
    ]);
    expect(world.told[1]?.summary).toContain('Cilium’s own reconciliation, cilium-agent (pid 99,');
  });

  test('ends when there are no drops for long', () => {
    const world = opened();
    world.pass(31_500);
    world.tell();
    expect(world.told.at(-1)).toMatchObject({
      state: 'closed',
      closed_by: { kind: 'drops_stopped', seconds: 31.5 },
    });
    expect(world.told.at(-1)?.summary).toContain('no more drops since 00:00:10.');
  });

  test('is another one when somebody sets it again', () => {
    const world = opened();
    world.write('all', '0');
    world.pass(100);
    world.write('all', '1', { pid: 5, comm: 'ansible' });
    world.settle();
    expect(world.drop()?.id).toBe('i-2');
    world.pass(2000);
    world.tell();
    expect(world.told.map(({ id, state }) => `${id} ${state}`)).toEqual([
      'i-1 open',
      'i-1 closed',
      'i-2 open',
    ]);
    expect(world.told.at(-1)?.cause.change?.writer?.comm).toBe('ansible');
  });

  test('without a change in sight says so', () => {
    const world = known({ ...NODE, all: 1 });
    world.pass(60_000);
    world.drop();
    world.tell();
    expect(world.told).toMatchObject([
      { cause: { kind: 'unknown' }, fix: ['sysctl -w net.ipv4.conf.all.rp_filter=0'] },
    ]);
    expect(world.told[0]?.summary).toBe(
      '00:01:10 UTC: net.ipv4.conf.all.rp_filter was 1 already before 00:00:10, when it was first read: who set it is not known; since 00:01:10 lxcabcd lost 1 packet from 10.244.3.136; end it with: sysctl -w net.ipv4.conf.all.rp_filter=0.',
    );
  });

  test('on a device that is new and has what default was already says so', () => {
    const world = known({ ...NODE, default: 2 });
    world.pass(1000);
    world.set('lxcnew', 2);
    world.drop({ device: 'lxcnew' });
    world.tell();
    expect(world.told[0]?.cause.why).toBe(
      'lxcnew is new and took over net.ipv4.conf.default.rp_filter=2, which was so already before 00:00:10, when it was first read',
    );
  });

  test('in a namespace that cannot be read says so', () => {
    const world = new World();
    world.drop({ netns: 77 });
    world.tell();
    expect(world.told[0]?.cause.why).toContain('namespace 77 cannot be read');
  });

  test('in a namespace that cannot be read goes by what the drop itself found', () => {
    const world = new World();
    world.write('all', '1', { netns: 77, old: '0\n' });
    world.settle();
    const mode = MODE_ON;
    world.drop({ netns: 77, mode });
    world.tell();
    expect(world.told[0]?.cause).toMatchObject({
      kind: 'sysctl_change',
      change: { writer: { comm: 'tuned' } },
    });
  });

  test('takes what was found later for its cause, when it explains it', () => {
    const world = known();
    world.set('lxcabcd', 1);
    world.drop();
    world.tell();
    expect(world.told[0]).toMatchObject({
      cause: { kind: 'unknown' },
      fix: ['sysctl -w net.ipv4.conf.lxcabcd.rp_filter=0'],
    });
    world.reconcile();
    world.pass(1000);
    world.settle();
    world.drop();
    world.tell();
    expect(world.told.at(-1)).toMatchObject({
      id: 'i-1',
      state: 'update',
      cause: { kind: 'sysctl_change', change: { seen_by: 'reconcile', writer_unknown: expect.any(String) } },
    });
    expect(world.told.at(-1)?.summary).toContain('somebody unknown');
  });

  test('is over when its namespace is gone, and no cause of what the next one with its number does', () => {
    const world = opened();
    expect(world.meet(NETNS, 1n)).toBe(false);
    world.write('all', '2');
    expect(world.meet(NETNS, 2n)).toBe(true);
    expect(world.changes.at(-1)).toMatchObject({
      outcome: 'unconfirmed',
      confirmed_unknown: 'the network namespace is gone',
    });
    world.drop();
    world.tell();
    expect(world.told.map(({ id, state, cause }) => `${id} ${state} ${cause.kind}`)).toEqual([
      'i-1 open sysctl_change',
      'i-1 closed sysctl_change',
      'i-2 open unknown',
    ]);
    expect(world.told[1]?.summary).toContain('the network namespace is gone.');
  });

  test('is not opened for drops that no setting decides', () => {
    const world = known();
    expect(world.drop({ reason: 'NO_SOCKET' })).toBeUndefined();
    expect(world.incidents.hasOpen).toBe(false);
  });

  test('tells at the end what was not told yet', () => {
    const world = opened();
    world.drop({ count: 9 });
    expect(world.incidents.finish()).toMatchObject([{ state: 'update', drops: 10 }]);
    expect(world.incidents.finish()).toEqual([]);
  });

  test('the oldest gives way when there are too many', () => {
    const world = new World();
    for (let netns = 1; netns <= 65; netns++) world.drop({ netns });
    world.tell();
    expect(world.told.find(({ state }) => state === 'closed')).toMatchObject({
      id: 'i-1',
      closed_by: { kind: 'crowded_out' },
    });
    expect(world.incidents.netns.size).toBe(64);
  });

  test('its lists are bounded, its counts go on', () => {
    const world = opened();
    for (let index = 0; index < 1000; index++)
      world.drop({ device: `lxc${index}`, src: `10.0.${index >> 8}.${index & 255}` });
    world.pass(1000);
    world.tell();
    expect(world.told.at(-1)).toMatchObject({ drops: 1001, devices_count: 256, sources_count: 256 });
    expect(world.told.at(-1)?.devices).toHaveLength(16);
  });
});

describe('the culprit', () => {
  /** As sysctl --system does with Debian's default for all devices, a hardening file, and Cilium's override. */
  const applyFiles = (world: World, from = 0) => {
    const writes = [
      ['lxcabcd', '2'],
      ['cilium_host', '2'],
      ['all', '1'],
      ['lxcabcd', '0'],
    ] as const;
    for (const [device, value] of writes.slice(from)) world.write(device, value, { comm: 'sysctl' });
    world.settle();
  };

  test('is the change that keeps the kernel refusing, not one that was taken back before the first drop', () => {
    const world = known();
    applyFiles(world);
    world.drop();
    world.tell();
    expect(world.told).toMatchObject([
      {
        cause: { change: { device: 'all', old: '0', new: '1' } },
        fix: ['sysctl -w net.ipv4.conf.all.rp_filter=0'],
      },
    ]);
    expect(world.told[0]?.cause).not.toHaveProperty('also');
    expect(world.told[0]?.summary).toContain('; set it back with: ');
  });

  test('of drops that went on when it was taken back is the change beside it: there is one incident', () => {
    const world = known();
    world.write('lxcabcd', '2', { comm: 'sysctl' });
    world.settle();
    world.drop();
    world.tell();
    world.pass(10);
    applyFiles(world, 1);
    world.drop();
    world.pass(1000);
    world.tell();
    expect(world.told).toMatchObject([
      { id: 'i-1', drops: 1, cause: { change: { device: 'lxcabcd', new: '2' } } },
      { id: 'i-1', drops: 2, cause: { change: { device: 'all', new: '1' } } },
    ]);
  });

  test('made two values that refuse, and both are told of one writer', () => {
    const world = known();
    world.write('all', '1');
    world.write('lxcabcd', '1');
    world.settle();
    world.drop();
    world.tell();
    expect(world.told[0]?.summary).toContain(
      ') set net.ipv4.conf.all.rp_filter 0 -> 1 and net.ipv4.conf.lxcabcd.rp_filter 0 -> 1; since ',
    );
  });

  test('is not the one of last time, who was set back, while what became of the write of this time is not known', () => {
    const world = known();
    world.write('all', '1', { pid: 5 });
    world.pass(1000);
    world.write('all', '0', { pid: 6, comm: 'cilium-agent' });
    world.settle();
    world.pass(5000);
    world.drop({ mode: MODE_ON });
    world.tell();
    expect(world.told).toMatchObject([{ cause: { kind: 'unknown' } }]);
  });

  test('has one incident, too, where a drop of the time before is read later', () => {
    const world = known();
    applyFiles(world);
    world.drop();
    world.drop({ mode: { ...MODE_OFF, device: 2, effective: 2, decided_by: 'device' } });
    world.tell();
    expect(world.told).toMatchObject([{ id: 'i-1', drops: 2, cause: { change: { device: 'all' } } }]);
  });

  test('of two within a second is the one that made it binding; both are named, both are undone', () => {
    const world = known();
    world.write('all', '1');
    world.pass(500);
    world.write('lxcabcd', '1', { pid: 6, comm: 'hardening' });
    world.settle();
    world.drop();
    world.tell();
    expect(world.told).toMatchObject([
      { cause: { change: { device: 'all' }, also: [{ device: 'lxcabcd', writer: { comm: 'hardening' } }] } },
    ]);
    expect(world.told[0]?.fix).toEqual([
      'sysctl -w net.ipv4.conf.lxcabcd.rp_filter=0 net.ipv4.conf.all.rp_filter=0',
    ]);
    expect(world.told[0]?.summary).toContain('within a second of it hardening (pid 6,');
  });

  test('is not who only made a greater value of it', () => {
    const world = known();
    world.write('all', '2');
    world.pass(5000);
    world.write('all', '1', { comm: 'other' });
    world.settle();
    world.drop();
    world.tell();
    expect(world.told[0]?.cause.change).toMatchObject({ new: '2', writer: { comm: 'tuned' } });
  });

  test('is found among hundreds of later changes that only made another value of it', () => {
    const world = known();
    world.write('all', '1');
    for (let index = 0; index < 1000; index++) {
      world.pass(1);
      world.write('all', index % 2 === 0 ? '2' : '1', { pid: 7, comm: 'flapping' });
    }
    world.settle();
    world.drop();
    world.tell();
    expect(world.told[0]?.cause.change).toMatchObject({ new: '1', writer: { comm: 'tuned' } });
  });

  test('that may be among changes that are forgotten is said to be', () => {
    const world = known({ ...NODE, all: 1 });
    for (let index = 0; index < 1000; index++) {
      world.pass(1);
      world.write('cilium_host', index % 2 === 0 ? '2' : '0');
    }
    world.settle();
    world.drop();
    world.tell();
    expect(world.told[0]?.cause.why).toBe(
      'more changed than is remembered: who set net.ipv4.conf.all.rp_filter is not known any more',
    );
  });

  test('is not who made 2 of the 1 that was there before', () => {
    const world = known({ ...NODE, all: 1 });
    world.write('all', '2');
    world.settle();
    world.drop();
    world.tell();
    expect(world.told[0]?.cause.why).toContain('net.ipv4.conf.all.rp_filter was on already before 00:00:10');
  });

  test('is who made it strict where loose mode would have let it in', () => {
    const world = known({ ...NODE, all: 2 });
    world.write('all', '0');
    world.write('all', '2', { comm: 'first' });
    world.pass(2000);
    world.write('all', '0');
    world.write('eth0', '1', { old: '2\n', comm: 'second' });
    world.set('eth0', 1);
    world.settle();
    world.drop({ device: 'eth0', mode: { ...MODE_OFF, device: 1, effective: 1, unnumbered: false } });
    world.tell();
    expect(world.told[0]?.cause.change).toMatchObject({ writer: { comm: 'second' } });
  });

  test('of a device that is younger than the change is who changed all', () => {
    const world = known();
    world.write('all', '1');
    world.settle();
    world.pass(5000);
    world.set('lxcnew', 0);
    world.reconcile();
    world.pass(1000);
    world.settle();
    world.drop({ device: 'lxcnew' });
    world.tell();
    expect(world.told[0]?.cause.change).toMatchObject({ device: 'all', writer: { comm: 'tuned' } });
  });

  test('is who switched forwarding on where the check was on already', () => {
    const world = known({ ...NODE, all: 1 });
    world.write('all', '1', { setting: 'forwarding', name: 'net/ipv4/ip_forward', comm: 'docker' });
    for (const device of ['default', ...Object.keys(NODE)]) world.set(device, 1, 'forwarding');
    world.settle();
    world.drop();
    world.tell();
    expect(world.told[0]?.cause.change).toMatchObject({
      name: 'net.ipv4.ip_forward',
      writer: { comm: 'docker' },
    });
  });

  test('of a local source is who made marks count', () => {
    const world = known();
    world.write('all', '1', { setting: 'src_valid_mark', comm: 'wg-quick' });
    world.settle();
    world.drop({
      reason: 'IP_LOCAL_SOURCE',
      ailment: {
        verdict: 'local_source',
        srcValidMark: { all: true, device: false },
        route: LOCAL,
        routeWithoutMark: BY_CILIUM_HOST,
      },
    });
    world.tell();
    expect(world.told[0]?.cause.change).toMatchObject({
      setting: 'src_valid_mark',
      writer: { comm: 'wg-quick' },
    });
    expect(world.told[0]?.fix).toEqual(['sysctl -w net.ipv4.conf.all.src_valid_mark=0']);
  });

  test('is known where the kernel has no reason of its own for what it refused', () => {
    const world = known();
    world.write('all', '1');
    world.settle();
    world.drop({ reason: 'ARP_REFUSED', verdict: 'arp_refused', ailment: { isByFilter: true } });
    world.drop();
    world.tell();
    expect(world.told).toMatchObject([
      {
        cause: { change: { writer: { comm: 'tuned' } } },
        drops: 2,
        reasons: ['ARP_REFUSED', 'IP_RPFILTER'],
        fix: ['sysctl -w net.ipv4.conf.all.rp_filter=0'],
      },
    ]);
    const older = known();
    older.write('all', '1', { setting: 'src_valid_mark', comm: 'wg-quick' });
    older.settle();
    const route = { verdict: 'local_source', route: LOCAL } as const;
    older.drop({ reason: 'NOT_SPECIFIED', verdict: 'local_source', ailment: route });
    older.drop({ reason: 'NOT_SPECIFIED', verdict: 'not_rpf', device: 'eth0' });
    older.tell();
    expect(older.told).toMatchObject([{ drops: 1, cause: { change: { setting: 'src_valid_mark' } } }]);
  });

  test('is not a change in another namespace', () => {
    const world = known();
    world.devices({ ...NODE, all: 1 }, 8);
    world.settings.baseline(8);
    world.write('all', '1');
    world.settle();
    world.drop({ netns: 8 });
    world.tell();
    expect(world.told[0]?.cause.kind).toBe('unknown');
  });

  test('is not a change after the drop', () => {
    const world = known({ ...NODE, all: 1 });
    world.drop();
    world.pass(100);
    world.write('all', '0');
    world.write('all', '1');
    world.settle();
    world.tell();
    expect(world.told[0]?.cause.kind).toBe('unknown');
  });

  test('a command for another namespace says where', () => {
    const world = known();
    world.devices(NODE, 8);
    world.write('all', '1', { netns: 8 });
    world.settle();
    world.drop({ netns: 8 });
    world.tell();
    expect(world.told[0]?.fix).toEqual(['in 8 sysctl -w net.ipv4.conf.all.rp_filter=0']);
    expect(world.told[0]?.summary).toContain('0 -> 1 in network namespace 8;');
  });
});

const LOCAL = { ...BY_CILIUM_HOST, type: 'local', table: 2004, prefix: '0.0.0.0/0' } as const;

function known(devices: Record<string, number> = NODE): World {
  const world = new World().devices(devices);
  world.settings.baseline(NETNS);
  return world;
}

/** With all.rp_filter set to 1 and one drop told. */
function opened(): World {
  const world = known();
  world.write('all', '1');
  world.settle();
  world.drop();
  world.tell();
  return world;
}
