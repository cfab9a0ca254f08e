import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NETNS, World } from '../../fixtures/world.js';

const NODE = { lxcabcd: 0, lxcef01: 0, cilium_host: 0 };

describe('what the kernel tells', () => {
  test('is told in milliseconds where nobody was seen to write it', () => {
    const world = known();
    world.set('lxcabcd', 1);
    world.notice('lxcabcd', { rp_filter: 1, forwarding: 0 });
    expect(world.settings.dueInMs).toBe(25);
    world.pass(25);
    world.settle();
    expect(world.changes).toMatchObject([
      {
        name: 'net.ipv4.conf.lxcabcd.rp_filter',
        old: '0',
        new: '1',
        seen_by: 'netconf',
        time: '1970-01-01T00:00:10.000000000Z',
        not_before: '1970-01-01T00:00:10.000000000Z',
        outcome: 'changed',
        effective: true,
        writer_unknown: expect.stringContaining('no write to it was seen'),
      },
    ]);
    expect(world.settings.dueInMs).toBeUndefined();
  });

  test('is no change of its own where a write was seen', () => {
    const world = known();
    world.write('all', '1');
    world.notice('all', { rp_filter: 1 });
    world.settle('early');
    world.pass(1000);
    world.settle();
    expect(world.changes).toMatchObject([{ seen_by: 'cgroup_sysctl', outcome: 'changed' }]);
    expect(world.settings.dueInMs).toBeUndefined();
  });

  test('of all.forwarding is what the write did to each device', () => {
    const world = known();
    world.write('all', '1', { setting: 'forwarding', name: 'net/ipv4/ip_forward' });
    for (const device of ['default', ...Object.keys(NODE)]) {
      world.set(device, 1, 'forwarding');
      world.notice(device, { forwarding: 1 });
    }
    world.settle('early');
    world.pass(1000);
    world.settle();
    expect(world.changes).toMatchObject([{ seen_by: 'cgroup_sysctl' }]);
  });

  test('is not believed where it is not so any more', () => {
    const world = known();
    world.notice('lxcabcd', { rp_filter: 1 });
    world.pass(25);
    world.settle();
    expect(world.changes).toEqual([]);
    expect(world.settings.dueInMs).toBeUndefined();
  });

  test('what came in between is not taken for what it is now: a new device, set to 0 at once and to 2 by udev', () => {
    const world = known();
    world.devices({ ...NODE, lxcnew: 0 });
    world.write('lxcnew', '0', { old: '2\n' });
    world.settle('early');
    world.notice('lxcnew', { rp_filter: 2 });
    world.notice('lxcnew', { rp_filter: 0 });
    world.pass(30);
    world.set('lxcnew', 2);
    world.settle();
    world.write('lxcnew', '2', { old: '0\n', comm: 'systemd-sysctl' });
    world.pass(30);
    world.settle();
    expect(world.changes).toMatchObject([
      { seen_by: 'cgroup_sysctl', old: '2', new: '0' },
      { seen_by: 'cgroup_sysctl', old: '0', new: '2' },
    ]);
  });

  test('what it is already costs nothing to hear', () => {
    const world = known();
    const { reads } = world;
    world.notice('lxcabcd', { rp_filter: 0, accept_local: 0 });
    world.notice('', { rp_filter: 1 });
    world.notice('lxcabcd', { rp_filter: 1 }, 4711);
    expect(world.settings.dueInMs).toBeUndefined();
    expect(world.reads).toBe(reads);
  });

  test('of a device that is gone before anybody looks is forgotten', () => {
    const world = known();
    world.devices({ ...NODE, lxcnew: 1 });
    world.notice('lxcnew', { rp_filter: 1, accept_local: 1 });
    world.devices(NODE);
    world.pass(25);
    world.settle();
    expect(world.changes).toEqual([]);
    expect(world.settings.dueInMs).toBeUndefined();
  });

  test('a new device that takes over a check from default is told, one without is not', () => {
    const world = known();
    for (const [device, value] of Object.entries({ veth7: 2, veth8: 0 })) {
      world.devices({ ...NODE, veth7: 2, veth8: 0 });
      world.notice(device, { rp_filter: value });
    }
    world.pass(25);
    world.settle();
    expect(world.changes).toMatchObject([
      { device: 'veth7', new: '2', seen_by: 'netconf', old_unknown: 'the device is new' },
    ]);
  });
});

describe('what became of a write', () => {
  test('a value that is there when it is read again was changed, for the devices that go by it', () => {
    const world = known();
    world.write('all', '1');
    world.settle();
    expect(world.changes).toMatchObject([
      {
        name: 'net.ipv4.conf.all.rp_filter',
        device: 'all',
        setting: 'rp_filter',
        netns: NETNS,
        old: '0',
        new: '1',
        seen_by: 'cgroup_sysctl',
        outcome: 'changed',
        confirmed_by: 'read_back',
        effective: true,
        devices_count: 3,
        writer: { pid: 812, comm: 'tuned', cmdline: ['/usr/sbin/tuned', '-l', '-P'] },
      },
    ]);
  });

  test('the same value again is no change', () => {
    const world = known({ ...NODE, all: 1 });
    world.write('all', '1');
    world.settle();
    expect(world.changes).toMatchObject([{ outcome: 'unchanged', effective: false }]);
  });

  test('what the kernel refuses is told once it had the time to take it', () => {
    const world = known();
    world.write('all', '1', { refused: true });
    world.settle();
    expect(world.changes).toEqual([]);
    expect(world.settings.dueInMs).toBeGreaterThan(0);
    world.pass(25);
    world.settle();
    expect(world.changes).toMatchObject([
      { outcome: 'rejected', confirmed_by: 'read_back', effective: false },
    ]);
  });

  test('what puzzles is not decided while records may be on their way', () => {
    const world = known();
    world.write('all', '1', { refused: true });
    world.pass(1000);
    world.settle('early');
    expect(world.changes).toEqual([]);
    world.settle('idle');
    expect(world.changes).toMatchObject([{ outcome: 'rejected' }]);
  });

  test('where records were lost, nothing is taken for refused that may have been overwritten', () => {
    const world = known({ ...NODE, all: 1 });
    world.write('all', '0');
    world.lostWrites = 1;
    world.set('all', 1);
    world.write('all', '2');
    world.settle();
    expect(world.changes).toMatchObject([
      { new: '0', outcome: 'unconfirmed', confirmed_unknown: expect.stringContaining('lost') },
      { new: '2', outcome: 'changed' },
    ]);
    world.pass(300);
    world.write('all', '0', { refused: true });
    world.pass(100);
    world.settle();
    expect(world.changes.at(-1)).toMatchObject({ outcome: 'rejected' });
  });

  test('a text that is no number needs no time', () => {
    const world = known();
    world.write('all', 'foo');
    world.settle();
    expect(world.changes).toMatchObject([{ new: 'foo', outcome: 'rejected' }]);
  });

  test('a writer that is slow is waited for', () => {
    const world = known();
    world.write('all', '1', { refused: true });
    world.settle();
    world.pass(10);
    world.set('all', 1);
    world.settle();
    expect(world.changes).toMatchObject([{ outcome: 'changed', effective: true }]);
  });

  test('the rest of a value written in pieces is no value', () => {
    const world = known({ ...NODE, all: 1 });
    world.write('all', '0 junk');
    world.write('all', 'junk', { position: 2 });
    world.settle();
    expect(world.changes.map(({ new: value, outcome }) => [value, outcome])).toEqual([
      ['0 junk', 'changed'],
      ['junk', 'partial'],
    ]);
  });

  test('of several writes to one setting each is known by what the next one found', () => {
    const world = known();
    for (const value of ['1', '2', '2', 'x', '0']) world.write('all', value);
    world.settle();
    expect(
      world.changes.map(({ new: value, outcome, confirmed_by }) => [value, outcome, confirmed_by]),
    ).toEqual([
      ['1', 'changed', 'next_write'],
      ['2', 'changed', 'next_write'],
      ['2', 'unchanged', 'next_write'],
      ['x', 'rejected', 'next_write'],
      ['0', 'changed', 'read_back'],
    ]);
    expect(world.changes[0]?.devices?.[0]).toEqual({ device: 'lxcabcd', old: 0, new: 1 });
    expect(world.changes[4]?.devices?.[0]).toEqual({ device: 'lxcabcd', old: 2, new: 0 });
  });

  test('two processes at once: the first one’s outcome is not guessed', () => {
    const world = known();
    world.write('all', '1', { pid: 1, refused: true });
    world.write('all', '2', { pid: 2 });
    world.settle();
    expect(world.changes).toMatchObject([
      { new: '1', outcome: 'unconfirmed', confirmed_unknown: expect.stringContaining('another process') },
      { new: '2', outcome: 'changed' },
    ]);
  });

  test('where it cannot be read back, this is said', () => {
    const world = new World();
    world.write('all', '1', { netns: 77, old: '0\n' });
    world.settle();
    expect(world.changes).toMatchObject([
      {
        outcome: 'unconfirmed',
        confirmed_unknown: 'it could not be read back: No such process',
        effective_unknown: expect.any(String),
      },
    ]);
  });

  test('of a device that is gone nothing is known', () => {
    const world = known();
    world.write('lxcgone', '1', { old: '0\n' });
    world.values.get(NETNS)?.delete('rp_filter/lxcgone');
    world.settle();
    expect(world.changes).toMatchObject([
      { outcome: 'unconfirmed', confirmed_unknown: 'the device is gone' },
    ]);
  });

  test('one device’s own value does nothing where all has the greater one', () => {
    const world = known({ ...NODE, all: 2 });
    world.write('lxcabcd', '1');
    world.settle();
    expect(world.changes).toMatchObject([{ outcome: 'changed', effective: false }]);
  });

  test('a namespace that nobody looked at before is known as it was before its first write', () => {
    const world = new World().devices(NODE);
    world.write('all', '1');
    world.write('lxcabcd', '2');
    world.settle();
    expect(world.changes).toMatchObject([
      { name: 'net.ipv4.conf.all.rp_filter', effective: true, devices_count: 3 },
      { name: 'net.ipv4.conf.lxcabcd.rp_filter', devices: [{ device: 'lxcabcd', old: 1, new: 2 }] },
    ]);
  });

  test('what default takes along is told with it', () => {
    const world = known();
    world.write('default', '2');
    world.set('lxcef01', 2);
    world.settle();
    expect(world.changes).toMatchObject([
      {
        name: 'net.ipv4.conf.default.rp_filter',
        effective: true,
        devices: [{ device: 'lxcef01', old: 0, new: 2 }],
      },
    ]);
  });

  test('ip_forward is forwarding of all, which all devices take over', () => {
    const world = known();
    world.write('all', '1', { setting: 'forwarding', name: 'net/ipv4/ip_forward' });
    for (const device of ['default', ...Object.keys(NODE)]) world.set(device, 1, 'forwarding');
    world.settle();
    expect(world.changes).toMatchObject([
      {
        name: 'net.ipv4.ip_forward',
        device: 'all',
        setting: 'ip_forward',
        outcome: 'changed',
        devices_count: 3,
      },
    ]);
  });

  test('a dot in a device is a slash in the setting', () => {
    const world = known({ 'eth0.100': 0 });
    world.write('eth0.100', '1');
    world.settle();
    expect(world.changes[0]?.name).toBe('net.ipv4.conf.eth0/100.rp_filter');
  });

  test('writes to other namespaces than those asked for are not told', () => {
    const world = new World({ netns: [1] }).devices(NODE);
    world.write('all', '1');
    expect(world.settings.waiting).toBe(0);
  });

  test('whatever is written in whatever order, the table ends up as the kernel has it', () => {
    const device = fc.constantFrom('all', 'default', 'lxcabcd', 'lxcef01');
    const value = fc.constantFrom('0', '1', '2', '-1', 'x', '1 y', '');
    const step = fc.tuple(device, value, fc.boolean(), fc.nat(40));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const world = known();
        for (const [name, text, settles, ms] of steps) {
          world.write(name, text);
          world.pass(ms);
          if (settles) world.settle();
        }
        world.settle('final');
        expect(world.changes).toHaveLength(steps.length);
        expect(world.changes.filter(({ outcome }) => outcome === 'unconfirmed')).toEqual([]);
        expect(world.changes.every(({ seen_by }) => seen_by === 'cgroup_sysctl')).toBe(true);
        for (const name of ['all', 'default', 'lxcabcd', 'lxcef01'])
          expect(world.settings.table(NETNS, 'rp_filter')?.values.get(name)).toBe(world.get(name));
      }),
    );
  });

  test('a burst of writes is settled with few readings', () => {
    const world = known();
    const before = world.reads;
    for (let index = 0; index < 10_000; index++) {
      world.write('all', String(index % 2));
      if (world.settings.isFull) world.settle('full');
    }
    world.settle();
    expect(world.changes).toHaveLength(10_000);
    expect(new Set(world.changes.map(({ outcome }) => outcome))).toEqual(new Set(['changed', 'unchanged']));
    expect(world.reads - before).toBeLessThan(3);
  });
});

test('writes to ever other settings wait for a reading, but not for ever', () => {
  const devices = Object.fromEntries(Array.from({ length: 2000 }, (_, index) => [`lxc${index}`, 0]));
  const world = known(devices);
  const before = world.reads;
  for (const device of Object.keys(devices)) {
    world.write(device, '1');
    if (world.settings.isFull) world.settle('full');
    expect(world.settings.waiting).toBeLessThan(600);
  }
  world.settle();
  expect(world.changes).toHaveLength(2000);
  expect(world.reads - before).toBeLessThan(10);
});

describe('what changed without a write that was seen', () => {
  test('is told when the record of a write had the time to come', () => {
    const world = known();
    world.pass(1000);
    world.set('lxcabcd', 2);
    world.reconcile();
    expect(world.changes).toEqual([]);
    expect(world.settings.dueInMs).toBeGreaterThan(0);
    world.pass(250);
    world.settle();
    expect(world.changes).toMatchObject([
      {
        name: 'net.ipv4.conf.lxcabcd.rp_filter',
        old: '0',
        new: '2',
        seen_by: 'reconcile',
        not_before: '1970-01-01T00:00:10.000000000Z',
        effective: true,
        writer_unknown: expect.any(String),
      },
    ]);
    expect(world.settings.dueInMs).toBeUndefined();
  });

  test('is told once', () => {
    const world = known();
    world.set('lxcabcd', 2);
    for (let index = 0; index < 5; index++) {
      world.reconcile();
      world.pass(300);
      world.settle();
    }
    expect(world.changes).toHaveLength(1);
  });

  test('is not told of a write whose record is late', () => {
    const world = known();
    world.set('all', 1);
    world.reconcile();
    world.pass(100);
    world.write('all', '1', { old: '0\n', timeNs: world.nowNs - 150_000_000n });
    world.settle();
    world.pass(300);
    world.settle();
    expect(world.changes).toMatchObject([{ seen_by: 'cgroup_sysctl', outcome: 'changed', effective: true }]);
  });

  test('is not told when it was only so for a moment', () => {
    const world = known();
    world.set('all', 1);
    world.reconcile();
    world.set('all', 0);
    world.pass(300);
    world.settle();
    expect(world.changes).toEqual([]);
    expect(world.settings.dueInMs).toBeUndefined();
  });

  test('shows in what the next write finds', () => {
    const world = known();
    world.pass(1);
    world.set('all', 2);
    world.write('all', '1');
    world.settle();
    expect(world.changes).toMatchObject([
      { old: '0', new: '2', seen_by: 'reconcile' },
      { old: '2', new: '1', seen_by: 'cgroup_sysctl' },
    ]);
  });

  test('a new device that is born with the check on is told, one without is not', () => {
    const world = known();
    world.set('lxcnew', 2);
    world.set('lxcplain', 0);
    world.reconcile();
    world.pass(300);
    world.settle();
    expect(world.changes).toMatchObject([
      {
        device: 'lxcnew',
        new: '2',
        old_unknown: 'the device is new',
        writer_unknown: expect.stringContaining('default'),
      },
    ]);
  });

  test('at the end nothing is held back', () => {
    const world = known();
    world.set('all', 1);
    world.reconcile();
    world.settle('final');
    expect(world.changes).toHaveLength(1);
  });
});

function known(devices: Record<string, number> = NODE): World {
  const world = new World().devices(devices);
  world.settings.baseline(NETNS);
  return world;
}
