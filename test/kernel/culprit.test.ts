import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cgroupMounts } from '../../src/cgroup-mounts.js';
import type { SysctlChangeEvent } from '../../src/events.js';
import type { Lab } from '../../src/lab/lab.js';
import type { LabPacket } from '../../src/lab/packet.js';
import { run } from '../../src/lab/process.js';
import { send } from '../../src/lab/sender.js';
import { ADDRESS } from '../../src/lab/topology.js';
import { temporaryDirectory } from '../fixtures/directory.js';
import { startTrace, stopOf } from '../process/support/program.js';
import { changesIn, incidentWhen, traceUntil } from './support/incidents.js';
import { dropsOf, inLab, runTrace, useLab, withLab } from './support/lab.js';

const ALL = 'net.ipv4.conf.all.rp_filter';
const FILE = '/proc/sys/net/ipv4/conf/all/rp_filter';
const UDP: LabPacket = { from: 'pod', kind: 'udp', src: ADDRESS.pod, dst: ADDRESS.world };

describe('who writes a setting', () => {
  const lab = useLab();

  it('is told of sysctl', async () => {
    const [change] = await changesBy(lab, `sysctl -q -w ${ALL}=1`);
    expect(change).toMatchObject({
      name: ALL,
      netns: lab.inode('node'),
      old: '0',
      new: '1',
      outcome: 'changed',
      seen_by: 'cgroup_sysctl',
      effective: true,
      writer: { comm: 'sysctl', exe: expect.stringMatching(/\/sysctl$/), uid: 0, netns: lab.inode('node') },
    });
    expect(change?.devices).toContainEqual({ device: 'lxcabcd', old: 0, new: 1 });
    expect(change?.writer?.cmdline).toEqual(['sysctl', '-q', '-w', `${ALL}=1`]);
    expect(change?.writer?.parents[0]?.comm).toBe('sh');
  });

  it('is told of a process that is gone at once', async () => {
    const word = `echo 0 > ${FILE}`;
    const changes = await changesBy(lab, `for i in 1 2 3 4 5 6 7 8; do sh -c '${word}'; done`);
    expect(changes).toHaveLength(8);
    for (const { writer } of changes) {
      expect(writer).toMatchObject({ comm: 'sh', cmdline: ['sh', '-c', word] });
      expect(writer?.exe).toMatch(/\/(sh|dash|bash|busybox)$/);
      expect(writer?.parents.map(({ comm }) => comm)).toContain('sh');
    }
    expect(new Set(changes.map(({ writer }) => writer?.pid)).size).toBe(8);
  });

  it('is told with the unit that it was, when that and its cgroup are gone', async () => {
    const cgroup = `rpfk${process.pid}.slice/short.service`;
    const folder = join(cgroupMounts()[0] as string, cgroup);
    mkdirSync(folder, { recursive: true });
    const write = `echo $$ > ${folder}/cgroup.procs; echo 0 > ${FILE}`;
    const script = `sh -c '${write}'; rmdir ${folder} ${dirname(folder)}`;
    // Not by `ip netns exec`: it hides the mounts below /sys.
    const { events } = await runTrace(inLab(lab, ['node']), () =>
      run('nsenter', [`--net=${lab.path('node')}`, 'sh', '-ec', script]),
    );
    const [change] = changesIn(events);
    expect(change?.writer).toMatchObject({ comm: 'sh', cgroup: `/${cgroup}`, systemd_unit: 'short.service' });
  });

  it('is told of what came to nothing, too, and that it did', async () => {
    await lab.inside('node', `echo 1 > ${FILE}`);
    const changes = await changesBy(
      lab,
      `echo 1 > ${FILE}; echo foo > ${FILE} || true; printf '2 junk' > ${FILE} || true; echo 0 > ${FILE}`,
    );
    const told = changes.map(({ old, new: value, outcome }) => [old, value.trim(), outcome]);
    expect(told).toEqual([
      ['1', '1', 'unchanged'],
      ['1', 'foo', 'rejected'],
      ['1', '2 junk', 'changed'],
      ['2', 'junk', 'partial'],
      ['2', '0', 'changed'],
    ]);
  });

  it('is told of the other settings that decide', async () => {
    const names = ['accept_local', 'src_valid_mark', 'route_localnet', 'log_martians', 'forwarding'];
    const script = names.map((name) => `echo 1 > /proc/sys/net/ipv4/conf/lxcabcd/${name}`).join('\n');
    const changes = await changesBy(lab, `${script}\necho 1 > /proc/sys/net/ipv4/ip_forward`);
    expect(changes.map(({ setting }) => setting)).toEqual([...names, 'ip_forward']);
    await lab.inside('node', script.replaceAll('echo 1', 'echo 0'));
    await lab.inside(
      'node',
      'echo 0 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv4/ip_forward',
    );
  });

  it('ten thousand writes in a burst are told, each of them or as lost', async () => {
    const burst = `i=0; while [ $i -lt 10000 ]; do echo $((i % 2)) > ${FILE}; i=$((i + 1)); done`;
    const { events, stop, ended } = await runTrace(inLab(lab, ['node']), () => lab.inside('node', burst));
    const writes = changesIn(events).filter(({ seen_by }) => seen_by === 'cgroup_sysctl');
    const lost = events.reduce(
      (sum, event) => (event.kind === 'lost' && event.where === 'sysctl' ? sum + event.count : sum),
      0,
    );
    expect(ended.code).toBe(0);
    expect(writes.length + lost).toBe(10_000);
    expect(stop.totals.malformed).toBe(0);
    // The first write may find what it writes; the others change the value to and fro.
    const outcomes = new Set(writes.slice(1).map(({ outcome }) => outcome));
    expect([...outcomes].filter((outcome) => outcome !== 'changed')).toEqual(
      lost > 0 && outcomes.has('unconfirmed') ? ['unconfirmed'] : [],
    );
  });

  it('in other namespaces than those asked for is not told', async () => {
    const { events } = await runTrace(inLab(lab, ['world']), () =>
      lab.inside('node', `echo 1 > ${FILE}; echo 0 > ${FILE}`),
    );
    expect(changesIn(events)).toEqual([]);
  });
});

describe('what changes without a write to its file', () => {
  it('what default takes along is told with it', async () => {
    const netns = `rpfk${process.pid}default`;
    await run('ip', ['netns', 'add', netns]);
    try {
      await run('ip', ['-n', netns, 'link', 'add', 'va', 'type', 'veth', 'peer', 'name', 'vb']);
      const { events } = await runTrace(['--netns', netns], () =>
        run('ip', ['netns', 'exec', netns, 'sh', '-c', 'echo 2 > /proc/sys/net/ipv4/conf/default/rp_filter']),
      );
      expect(changesIn(events)).toMatchObject([{ device: 'default', outcome: 'changed', effective: true }]);
      expect(changesIn(events)[0]?.devices).toContainEqual({ device: 'va', old: 0, new: 2 });
    } finally {
      await run('ip', ['netns', 'delete', netns]);
    }
  });

  it('netlink is told as the cause of the drops that it makes, without a writer', async () => {
    await withLab(async (lab) => {
      const incident = await traceUntil(lab, async (program) => {
        const script = join(import.meta.dirname, 'support/set_inet_conf.py');
        await run('ip', ['netns', 'exec', lab.netns('node'), 'python3', script, 'lxcabcd', '1']);
        await send(lab, UDP, { count: 3 });
        return await incidentWhen(program, ({ cause }) => cause.kind === 'sysctl_change');
      });
      expect(incident.cause.change).toMatchObject({
        name: 'net.ipv4.conf.lxcabcd.rp_filter',
        old: '0',
        new: '1',
        seen_by: 'netconf',
        writer_unknown: expect.stringContaining('netlink'),
      });
      expect(incident.cause.change).not.toHaveProperty('writer');
    });
  });
});

describe('an incident', () => {
  const lab = useLab();

  it('says who did it and what undoes it; that is run, and it is over', async () => {
    const { opened, grown, closed, events } = await traceUntil(lab, async (program) => {
      await lab.inside('node', `sysctl -q -w ${ALL}=1`);
      await send(lab, UDP, { count: 250 });
      const opened = await incidentWhen(program, ({ state }) => state === 'open');
      const grown = await incidentWhen(program, ({ drops }) => drops === 250);
      for (const command of grown.fix) await run('sh', ['-c', command]);
      const before = dropsOf(program.events).length;
      await send(lab, UDP, { count: 50 });
      const closed = await incidentWhen(program, ({ state }) => state === 'closed');
      expect(dropsOf(program.events).length).toBe(before);
      return { opened, grown, closed, events: program.events };
    });

    expect(opened.cause.change).toMatchObject({ name: ALL, old: '0', new: '1', writer: { comm: 'sysctl' } });
    expect(opened.seconds_to_first_drop).toBeGreaterThan(0);
    expect(grown).toMatchObject({ devices: ['lxcabcd'], sources: [ADDRESS.pod], reasons: ['IP_RPFILTER'] });
    expect(grown.fix).toEqual([`ip netns exec ${lab.netns('node')} sysctl -w ${ALL}=0`]);
    expect(grown.summary).toMatch(
      /^\d\d:\d\d:\d\d UTC sysctl \(pid \d+, .*sysctl -q -w net\.ipv4\.conf\.all\.rp_filter.*, parent sh\) set net\.ipv4\.conf\.all\.rp_filter 0 -> 1 in network namespace \d+; since \d\d:\d\d:\d\d lxcabcd lost 250 packets from 10\.244\.3\.136; set it back with: ip netns exec \S+ sysctl -w net\.ipv4\.conf\.all\.rp_filter=0\.$/,
    );
    expect(closed).toMatchObject({ drops: 250, closed_by: { kind: 'sysctl_change', change: { new: '0' } } });
    expect(closed.summary).toMatch(/it ended at \d\d:\d\d:\d\d: sysctl \(pid \d+, /);

    const kinds = events.map((event) => event.kind);
    expect(kinds.indexOf('sysctl_change')).toBeLessThan(kinds.indexOf('incident'));
    expect(kinds.indexOf('incident')).toBeLessThan(kinds.indexOf('drop'));
    expect(new Set(dropsOf(events).map(({ incident }) => incident))).toEqual(new Set([opened.id]));
  });

  it('that began before the tracer has no culprit, says so, and has the fix that ends its drops', async () => {
    await lab.inside('node', `echo 1 > ${FILE}`);
    const incident = await traceUntil(lab, async (program) => {
      await send(lab, UDP, { count: 3 });
      const incident = await incidentWhen(program, () => true);
      for (const command of incident.fix) await run('sh', ['-c', command]);
      await send(lab, UDP, { count: 3 });
      const closed = await incidentWhen(program, ({ state }) => state === 'closed');
      expect(closed.closed_by?.change?.writer?.comm).toBe('sysctl');
      expect(closed.drops).toBe(3);
      return incident;
    });
    expect(incident.cause.kind).toBe('unknown');
    expect(incident.cause.why).toMatch(
      /^net\.ipv4\.conf\.all\.rp_filter was 1 already before .* who set it is not known$/,
    );
    expect(incident.fix).toEqual([`ip netns exec ${lab.netns('node')} sysctl -w ${ALL}=0`]);
    expect(incident.summary).toContain('; end it with: ip netns exec ');
  });

  it('names the line of the file that the writer read', async () => {
    const file = join(temporaryDirectory(), 'hardening.conf');
    writeFileSync(file, `# CIS 3.3.7\n\n${ALL} = 1\n`);
    const incident = await traceUntil(lab, async (program) => {
      await lab.inside('node', `sysctl -q -p ${file}`);
      await send(lab, UDP, { count: 3 });
      return await incidentWhen(program, () => true);
    });
    await lab.inside('node', `echo 0 > ${FILE}`);
    expect(incident.persisted).toEqual([
      { file, line: 3, key: ALL, value: '1', by: 'sysctl', at_boot: false, read_by_writer: true },
    ]);
    expect(incident.summary).toMatch(
      /hardening\.conf:3 \(read by sysctl\) will set it again whenever it is read\.$/,
    );
  });

  it('of a device that came later has the one who changed all for its culprit', async () => {
    const incident = await traceUntil(lab, async (program) => {
      await lab.inside('node', `echo 1 > ${FILE}`);
      await lab.inside('node', 'ip link set lxcabcd name lxcnew');
      await send(lab, UDP, { count: 3 });
      return await incidentWhen(program, () => true);
    });
    await lab.inside('node', `echo 0 > ${FILE}; ip link set lxcnew name lxcabcd`);
    expect(incident.cause.change).toMatchObject({ name: ALL, writer: { comm: 'sh' } });
    expect(incident.devices).toEqual(['lxcnew']);
  });

  it('of two culprits is that of the one who made it binding; the fix undoes both', async () => {
    const incident = await traceUntil(lab, async (program) => {
      await lab.inside('node', `sysctl -q -w ${ALL}=1; echo 1 > /proc/sys/net/ipv4/conf/lxcabcd/rp_filter`);
      await send(lab, UDP, { count: 3 });
      const incident = await incidentWhen(program, () => true);
      for (const command of incident.fix) await run('sh', ['-c', command]);
      await incidentWhen(program, ({ state }) => state === 'closed');
      const before = dropsOf(program.events).length;
      await send(lab, UDP, { count: 3 });
      expect(dropsOf(program.events).length).toBe(before);
      return incident;
    });
    expect(incident.cause).toMatchObject({
      change: { device: 'all', writer: { comm: 'sysctl' } },
      also: [{ device: 'lxcabcd', writer: { comm: 'sh' } }],
    });
    expect(incident.fix).toEqual([expect.stringMatching(/lxcabcd\.rp_filter=0 .*all\.rp_filter=0$/)]);
  });

  it('is a banner above the drops in the table', async () => {
    const trace = await startTrace(['-o', 'table', '--rpf-only', ...inLab(lab, ['node'])]);
    await lab.inside('node', `sysctl -q -w ${ALL}=1`);
    await send(lab, UDP, { count: 20 });
    await trace.until(({ stdout }) => stdout.includes('lost 20 packets'));
    await lab.inside('node', `sysctl -q -w ${ALL}=0`);
    await trace.until(({ stdout }) => stdout.includes('closed: '));
    const { stdout, stderr } = await trace.stop();
    const lines = stdout.split('\n');
    expect(lines[0]).toMatch(
      /^-- \d\d:\d\d:\d\d\.\d{3} sysctl \(pid .* set net\.ipv4\.conf\.all\.rp_filter 0 -> 1$/,
    );
    expect(lines[1]).toMatch(
      /^== i-1 \d\d:\d\d:\d\d UTC sysctl \(pid .* lost 1 packet from 10\.244\.3\.136; set it back with: /,
    );
    expect(stderr).toContain('lost 20 packets');
  });
});

/** The changes that a script in the node made. */
async function changesBy(lab: Lab, script: string): Promise<SysctlChangeEvent[]> {
  const { events } = await runTrace(inLab(lab, ['node']), () => lab.inside('node', script));
  expect(stopOf(events).totals.malformed).toBe(0);
  return changesIn(events);
}
