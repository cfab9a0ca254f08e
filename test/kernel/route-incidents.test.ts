import { describe, expect, it } from 'vitest';
import type { LabPacket } from '../../src/lab/packet.js';
import { run } from '../../src/lab/process.js';
import { send } from '../../src/lab/sender.js';
import { ADDRESS } from '../../src/lab/topology.js';
import { type Program, startTrace } from '../process/support/program.js';
import { incidentsIn, incidentWhen } from './support/incidents.js';
import { dropsOf, inLab, useLab } from './support/lab.js';

const FROM_POD: LabPacket = { from: 'pod', kind: 'udp', src: ADDRESS.pod, dst: ADDRESS.world };
const FROM_WORLD: LabPacket = { from: 'world', kind: 'udp', src: ADDRESS.world, dst: ADDRESS.node };
const ENDPOINT = '10.244.3.136/32 dev lxcabcd';

describe('an incident that a change of routes made', () => {
  const lab = useLab();

  it('names the route that was deleted; its fix puts it back, and ends it', async () => {
    await lab.inside('node', `ip route add ${ENDPOINT}; echo 1 > /proc/sys/net/ipv4/conf/all/rp_filter`);
    await tracing(async (trace) => {
      await send(lab, FROM_POD, { count: 3 });
      await lab.inside('node', `ip route delete ${ENDPOINT}`);
      await send(lab, FROM_POD, { count: 3 });
      const opened = await incidentWhen(trace, ({ drops }) => drops === 3);
      expect(dropsOf(trace.events).reduce((sum, { count }) => sum + count, 0)).toBe(3);
      expect(opened.cause).toMatchObject({
        kind: 'route_change',
        certain: true,
        route: {
          what: 'route',
          action: 'deleted',
          text: ENDPOINT,
          netns: lab.inode('node'),
          writer: { comm: 'ip', cmdline: ['ip', 'route', 'delete', ...ENDPOINT.split(' ')], uid: 0 },
        },
      });
      expect(opened.seconds_to_first_drop).toBeLessThan(2);
      expect(opened.fix).toEqual([`ip netns exec ${lab.netns('node')} ip route replace ${ENDPOINT}`]);
      expect(opened.summary).toContain(
        `deleted the route ${ENDPOINT} in network namespace ${lab.inode('node')}; since`,
      );

      for (const command of opened.fix) await run('sh', ['-c', command]);
      await send(lab, FROM_POD, { count: 3 });
      const closed = await incidentWhen(trace, ({ state }) => state === 'closed');
      expect(closed).toMatchObject({
        drops: 3,
        closed_by: { kind: 'route_change', route: { what: 'route', text: ENDPOINT } },
      });
      expect(closed.summary).toMatch(
        /it ended at \d\d:\d\d:\d\d: .* the route 10\.244\.3\.136\/32 dev lxcabcd\.$/,
      );
    });
    await lab.inside('node', `ip route delete ${ENDPOINT}; echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter`);
  });

  it('names the route that was replaced, as proven when it is known what stood there', async () => {
    await lab.inside('node', 'echo 1 > /proc/sys/net/ipv4/conf/eth0/rp_filter');
    await tracing(async (trace) => {
      await lab.inside('node', 'ip route add 203.0.113.0/24 via 192.0.2.1 dev eth0');
      await lab.inside('node', 'ip route replace 203.0.113.0/24 dev cilium_host');
      await send(lab, FROM_WORLD, { count: 2 });
      const opened = await incidentWhen(trace, () => true);
      expect(opened.cause).toMatchObject({
        kind: 'route_change',
        certain: true,
        route: { what: 'route', action: 'replaced', text: '203.0.113.0/24 dev cilium_host' },
      });
      await lab.inside('node', 'ip route delete 203.0.113.0/24');
      const closed = await incidentWhen(trace, ({ state }) => state === 'closed');
      expect(closed.closed_by).toMatchObject({ kind: 'route_change', route: { action: 'deleted' } });
    });
    await lab.inside('node', 'echo 0 > /proc/sys/net/ipv4/conf/eth0/rp_filter');
  });

  it('names the address that took the route with it', async () => {
    await lab.inside(
      'node',
      'ip address add 203.0.113.1/24 dev eth0; ip route add 203.0.0.0/16 dev cilium_host; echo 1 > /proc/sys/net/ipv4/conf/eth0/rp_filter',
    );
    await tracing(async (trace) => {
      await lab.inside('node', 'ip address delete 203.0.113.1/24 dev eth0');
      await send(lab, FROM_WORLD, { count: 2 });
      const opened = await incidentWhen(trace, () => true);
      expect(opened.cause).toMatchObject({
        certain: true,
        route: { what: 'address', action: 'deleted', text: '203.0.113.1/24 dev eth0' },
        came_with: { what: 'route', action: 'deleted', text: '203.0.113.0/24 dev eth0' },
      });
      for (const command of opened.fix) await run('sh', ['-c', command]);
      await incidentWhen(trace, ({ closed_by }) => closed_by?.kind === 'route_change');
    });
    await lab.inside(
      'node',
      'ip address delete 203.0.113.1/24 dev eth0; ip route delete 203.0.0.0/16; echo 0 > /proc/sys/net/ipv4/conf/eth0/rp_filter',
    );
  });

  it('says that a rule, or a device that went down, may have made it', async () => {
    await lab.inside(
      'node',
      'ip route add 203.0.113.0/24 via 192.0.2.1 dev eth0; ip route add 203.0.0.0/16 dev cilium_host; echo 1 > /proc/sys/net/ipv4/conf/eth0/rp_filter',
    );
    await tracing(async (trace) => {
      await lab.inside('node', 'ip rule add pref 50 to 203.0.113.0/24 prohibit');
      await send(lab, FROM_WORLD, { count: 1 });
      const byRule = await incidentWhen(trace, () => true);
      expect(byRule.cause).toMatchObject({
        certain: false,
        route: { what: 'rule', action: 'added', text: 'from all to 203.0.113.0/24 pref 50' },
      });
      expect(byRule.summary).toContain('which may have made it (not proven: ');
      await lab.inside('node', 'ip rule delete pref 50');
      await incidentWhen(trace, ({ closed_by }) => closed_by?.kind === 'route_change');

      await lab.inside('node', 'ip link set eth0 down; ip link set eth0 up');
      await send(lab, FROM_WORLD, { count: 1 });
      const byLink = await incidentWhen(trace, ({ id }) => id !== byRule.id);
      expect(byLink.cause).toMatchObject({
        certain: false,
        route: { what: 'link', action: 'down', text: 'eth0' },
      });
    });
    await lab.inside(
      'node',
      'ip route delete 203.0.0.0/16; ip route replace default via 192.0.2.1; echo 0 > /proc/sys/net/ipv4/conf/eth0/rp_filter',
    );
  });

  it('is one while its route flaps 1,000 times', async () => {
    await lab.inside('node', `ip route add ${ENDPOINT}; echo 1 > /proc/sys/net/ipv4/conf/all/rp_filter`);
    await tracing(async (trace) => {
      await lab.inside('node', `ip route delete ${ENDPOINT}`);
      await send(lab, FROM_POD, { count: 1 });
      const opened = await incidentWhen(trace, () => true);
      const lines = Array.from(
        { length: 1001 },
        (_, index) => `route ${index % 2 ? 'delete' : 'add'} ${ENDPOINT}`,
      );
      const flapping = lab.inside('node', `printf '%s\\n' '${lines.join("' '")}' | ip -batch -`);
      await Promise.all([flapping, send(lab, FROM_POD, { count: 50 })]);
      const closed = await incidentWhen(trace, ({ state }) => state === 'closed');
      expect(closed).toMatchObject({ id: opened.id, closed_by: { kind: 'route_change' } });
      expect(new Set(incidentsIn(trace.events).map(({ id }) => id))).toEqual(new Set([opened.id]));
    });
    await lab.inside('node', `ip route delete ${ENDPOINT}; echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter`);
  });

  async function tracing(work: (trace: Program) => Promise<void>): Promise<void> {
    const trace = await startTrace(['-o', 'ndjson', '--reason', 'IP_RPFILTER', ...inLab(lab, ['node'])]);
    try {
      await work(trace);
    } finally {
      await trace.stop();
    }
  }
});
