import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { LabPacket } from '../../src/lab/packet.js';
import { run } from '../../src/lab/process.js';
import { send } from '../../src/lab/sender.js';
import { ADDRESS } from '../../src/lab/topology.js';
import { lost } from '../process/support/program.js';
import { changesIn, incidentsIn, incidentWhen, traceUntil } from './support/incidents.js';
import { count, dropsOf, useLab, withLab } from './support/lab.js';
import { script } from './support/script.js';

const FILE = '/proc/sys/net/ipv4/conf/all/rp_filter';
const UDP: LabPacket = { from: 'pod', kind: 'udp', src: ADDRESS.pod, dst: ADDRESS.world };
const lab = useLab();

afterEach(() => lab.inside('node', `echo 0 > ${FILE}`));

describe('ten thousand writes a second while drops flow', () => {
  // The writer runs when nobody else does: on a busy machine that takes a while.
  it('lose nothing, and the culprit is still the one who began', { timeout: 300_000 }, async () => {
    const { events, waitedMs } = await traceUntil(lab, async (program) => {
      await lab.inside('node', `echo 1 > ${FILE}`);
      const before = waitingMs(program.pid);
      const tool = join(import.meta.dirname, 'support/write_setting.py');
      const write = [
        'ip',
        'netns',
        'exec',
        lab.netns('node'),
        'python3',
        tool,
        FILE,
        '10000',
        '20000',
        '2',
        '1',
      ];
      const writing = run('chrt', ['--idle', '0', ...write]);
      await send(lab, UDP, { count: 10_000, rate: 5000 });
      await writing;
      await incidentWhen(program, ({ drops }) => drops === 10_000);
      await program.until(({ events }) => changesIn(events).length + lostWrites(events) === 20_001);
      return { events: program.events, waitedMs: waitingMs(program.pid) - before };
    });
    expect(count(dropsOf(events))).toBe(10_000);
    expect(lost(events)).toBe(0);
    // The ring holds what is written in a quarter of a second: less is lost only where nobody gave the tracer a CPU.
    if (waitedMs < 250) expect(lostWrites(events)).toBe(0);
    const writes = changesIn(events).filter(({ seen_by }) => seen_by === 'cgroup_sysctl');
    if (lostWrites(events) === 0)
      expect(new Set(writes.map(({ outcome }) => outcome))).toEqual(new Set(['changed']));
    const causes = incidentsIn(events).map(({ cause }) => cause.change?.writer?.comm);
    expect(new Set(causes)).toEqual(new Set(['sh']));
  });
});

describe('a writer that is gone before anybody can look', () => {
  it('is named in the incident, with its command line and parents', async () => {
    const incident = await traceUntil(lab, async (program) => {
      await lab.inside('node', `sh -c 'echo 1 > ${FILE}'`);
      await send(lab, UDP, { count: 3 });
      return await incidentWhen(program, () => true);
    });
    const { writer } = incident.cause.change ?? {};
    expect(writer).toMatchObject({ comm: 'sh', cmdline: ['sh', '-c', `echo 1 > ${FILE}`] });
    expect(() => readFileSync(`/proc/${writer?.pid}/comm`)).toThrow();
    expect(incident.summary).toMatch(/UTC sh \(pid \d+, .*sh -c 'echo 1 > .*, parent sh\) set net/);
  });
});

describe('Cilium', () => {
  it('that writes 0 back at once is told to have ended it', async () => {
    const agent = script('cilium-agent', `echo 0 > ${FILE}`);
    const closed = await traceUntil(lab, async (program) => {
      await lab.inside('node', `echo 1 > ${FILE}`);
      await send(lab, UDP, { count: 3 });
      await lab.inside('node', agent);
      return await incidentWhen(program, ({ state }) => state === 'closed');
    });
    expect(closed.closed_by).toMatchObject({
      kind: 'sysctl_change',
      change: { writer: { comm: 'cilium-agent' } },
    });
    expect(closed.summary).toContain('Cilium’s own reconciliation, cilium-agent (pid ');
  });
});

describe('drops without a change that made them', () => {
  it('have no setting for their culprit, whatever else is written', async () => {
    await lab.inside('node', `echo 1 > ${FILE}`);
    const incidents = await traceUntil(lab, async (program) => {
      await lab.inside(
        'node',
        `echo 1 > ${FILE}
         echo 1 > /proc/sys/net/ipv4/conf/all/log_martians; echo 0 > /proc/sys/net/ipv4/conf/all/log_martians
         echo 2 > /proc/sys/net/ipv4/conf/eth0/rp_filter; echo 0 > /proc/sys/net/ipv4/conf/eth0/rp_filter
         echo 0 > /proc/sys/net/ipv4/conf/lxcabcd/rp_filter`,
      );
      await send(lab, UDP, { count: 3 });
      await incidentWhen(program, ({ drops }) => drops === 3);
      return incidentsIn(program.events);
    });
    expect(incidents.map(({ cause }) => cause.kind)).toEqual(incidents.map(() => 'unknown'));
    expect(incidents[0]?.cause.why).toMatch(/rp_filter was 1 already before /);
  });

  it('of other kinds belong to no incident', async () => {
    const events = await traceUntil(lab, async (program) => {
      await send(lab, { ...UDP, dst: ADDRESS.node, dstPort: 9 }, { count: 3 });
      await program.until(({ events }) => count(dropsOf(events)) === 3);
      return program.events;
    });
    expect(incidentsIn(events)).toEqual([]);
    expect(dropsOf(events)[0]).not.toHaveProperty('incident');
  });
});

describe('a network namespace that is gone', () => {
  it('before its incident was told leaves a sentence, a fix and no error', async () => {
    await withLab(async (own) => {
      const incident = await traceUntil(own, async (program) => {
        program.kill('SIGSTOP');
        await own.inside('node', `echo 1 > ${FILE}`);
        await send(own, UDP, { count: 3 });
        await own.down();
        program.kill('SIGCONT');
        return await incidentWhen(program, () => true);
      });
      expect(incident.devices).toEqual(['lxcabcd']);
      expect(incident.fix).toEqual(['sysctl -w net.ipv4.conf.all.rp_filter=0']);
      expect(incident.fix_where).toMatch(
        /^in network namespace \d+, for which neither a name nor a process was found/,
      );
    });
  });
});

function lostWrites(events: Parameters<typeof lost>[0]): number {
  return events.reduce(
    (sum, event) => (event.kind === 'lost' && event.where === 'sysctl' ? sum + event.count : sum),
    0,
  );
}

/** How long the threads of a process were ready to run and did not, together: /proc/PID/schedstat. */
function waitingMs(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const waits = threads.map(
    (thread) => readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[1],
  );
  return waits.reduce((sum, ns) => sum + Number(ns), 0) / 1e6;
}
