import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { examine } from '../../src/doctor/doctor.js';
import { auditNode } from '../../src/doctor/node.js';
import { type PodReport, type Report, report as reportSchema } from '../../src/doctor/report.js';
import { attempt } from '../../src/lab/process.js';
import { send } from '../../src/lab/sender.js';
import { ADDRESS } from '../../src/lab/topology.js';
import { Witness } from '../../src/lab/witness.js';
import { addon } from './support/addon.js';
import { useLab } from './support/lab.js';

/*
 * What doctor says would happen is what happens: in every cell of settings and routes packets are sent to each destination,
 * and the kernel drops exactly those of which doctor said so before.
 */

const CONF = '/proc/sys/net/ipv4/conf';
const DESTINATIONS = { outside: ADDRESS.world, node: ADDRESS.node, cilium_host: ADDRESS.ciliumHost } as const;

interface Cell {
  readonly all: number;
  readonly device: number;
  readonly numbered: boolean;
  readonly endpointRoute: boolean;
}

const CELLS: readonly Cell[] = [false, true].flatMap((numbered) =>
  [false, true].flatMap((endpointRoute) =>
    [0, 1, 2].flatMap((all) => [0, 1, 2].map((device) => ({ all, device, numbered, endpointRoute }))),
  ),
);

describe('doctor and the kernel agree', () => {
  const lab = useLab();
  let witness: Witness;
  beforeAll(async () => {
    witness = await Witness.open(lab);
  });
  afterAll(() => witness[Symbol.asyncDispose]());

  it('in every cell of rp_filter, with and without an address and a route of the pod’s own', async () => {
    const cells: object[] = [];
    for (const cell of CELLS) {
      await lab.inside('node', enter(cell));
      cells.push({ ...cell, said: outcomesOf(audit()), came: await outcomesSent() });
      await lab.inside('node', leave(cell));
    }

    expect(cells.filter((cell) => !agrees(cell))).toEqual([]);
    expect(cells).toHaveLength(36);
    expect(cells.filter((cell) => isDropping(cell)).length).toBeGreaterThan(6);
    expect(cells.filter((cell) => !isDropping(cell)).length).toBeGreaterThan(6);
  });

  it.each<[string, string, string]>([
    ['ECMP that has the device among its ways', ecmp('lxcabcd', 'cilium_host'), unroute()],
    ['ECMP by other devices', ecmp('cilium_host', 'eth0'), unroute()],
    ['no route at all', `ip route add throw ${ADDRESS.pod}`, unroute('throw')],
    ['an unreachable route', `ip route add unreachable ${ADDRESS.pod}`, unroute('unreachable')],
    ['a blackhole', `ip route add blackhole ${ADDRESS.pod}`, unroute('blackhole')],
    ['a rule that looks at the pod’s address', rule(`to ${ADDRESS.pod} lookup 77`), unrule()],
    ['a rule that looks at the source', rule('from 192.0.2.0/24 lookup 77'), unrule()],
    ['a rule that looks at the device', rule('iif eth0 lookup 77'), unrule()],
    ['a rule that forbids', `ip rule add pref 50 to ${ADDRESS.pod} prohibit`, 'ip rule delete pref 50'],
    ['the pod’s address on the node too', address('add'), address('delete')],
  ])('with %s', async (_what, prepare, undo) => {
    for (const all of [0, 1, 2]) {
      await lab.inside('node', `${prepare}\necho ${all} > ${CONF}/all/rp_filter`);
      const said = outcomesOf(audit());
      const came = await outcomesSent();
      await lab.inside('node', `${undo}\necho 0 > ${CONF}/all/rp_filter`);
      expect({ all, said }).toEqual({ all, said: came });
    }
  });

  it('where the node does not forward', async () => {
    await lab.inside('node', 'echo 0 > /proc/sys/net/ipv4/ip_forward');
    const report = await look();
    const { drops } = await outcomes('IP_INADDRERRORS');
    await lab.inside('node', 'echo 1 > /proc/sys/net/ipv4/ip_forward');

    expect(podOf(report).passages.find(({ to }) => to === 'outside')?.outcome).toBe('not_forwarded');
    expect(drops).toEqual(['outside']);
    expect(report.exit_code).toBe(4);
  });

  it('of a port of a bridge, whose settings are those of the bridge', async () => {
    await lab.inside('node', BRIDGE(lab.netns('pod2')));
    await lab.inside('pod2', 'ip address add 10.88.0.2/24 dev eth1; ip link set eth1 up');
    await lab.inside('node', `ip link set vethb up; echo 1 > ${CONF}/vethb/rp_filter`);
    const bridged = async () => podOf(await look(), 'vethb');

    expect(await bridged()).toMatchObject({ bridge: 'cni0', ip: '10.88.0.2', would_drop: false });
    await lab.inside(
      'node',
      `ip route delete 10.88.0.0/24; ip route add 10.88.0.0/24 dev cilium_host; echo 1 > ${CONF}/cni0/rp_filter`,
    );
    expect(await bridged()).toMatchObject({ would_drop: true, mode: { device: 1, unnumbered: false } });
    await witness.drops();
    await send(
      lab,
      { from: 'pod2', kind: 'udp', device: 'eth1', src: '10.88.0.2', dst: ADDRESS.world },
      { count: 1 },
    );
    const drops = (await witness.drops()).filter(({ event }) => event.packet?.src === '10.88.0.2');
    expect(drops.map(({ event }) => [event.device.name, event.rpf?.verdict])).toEqual([
      ['cni0', 'strict_mismatch'],
    ]);
    await lab.inside('node', 'ip link delete vethb; ip link delete cni0');
  });

  it('until the first fix that it prints has been run', async () => {
    for (const cell of CELLS.filter(({ all, device }) => all + device > 0)) {
      await lab.inside('node', enter(cell));
      const before = podOf(audit());
      for (const command of new Set(before.passages.flatMap(({ fix }) => fix?.slice(0, 1) ?? []))) {
        const { code, stderr } = await attempt('sh', ['-c', command]);
        expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      }
      const after = podOf(audit());
      const came = await outcomesSent();
      await lab.inside('node', leave(cell));
      expect(after.would_drop).toBe(false);
      expect(new Set(Object.values(came))).toEqual(new Set(['accepted']));
    }
  });

  /** What doctor says of the pods, without a look at the machine. */
  function audit(): Pick<Report, 'pods'> {
    return auditNode({ addon, netns: [lab.inode('node')] }, addon.survey());
  }

  async function look(): Promise<Report> {
    const report = await examine({ addon, node: 'lab', netns: [lab.inode('node')] });
    return reportSchema.parse(JSON.parse(JSON.stringify(report)));
  }

  async function outcomesSent(): Promise<Record<string, string>> {
    return (await outcomes()).came;
  }

  /** What becomes of a packet of the pod to each destination; or which of them die for a reason. */
  async function outcomes(reason?: string): Promise<{ came: Record<string, string>; drops: string[] }> {
    await witness.drops();
    for (const dst of Object.values(DESTINATIONS))
      await send(lab, { from: 'pod', kind: 'udp', src: ADDRESS.pod, dst }, { count: 1 });
    const events = (await witness.drops()).filter(
      ({ place, event }) => place === 'node' && event.device.name === 'lxcabcd',
    );
    const dropsTo = (dst: string) => events.filter(({ event }) => event.packet?.dst === dst);
    const entries = Object.entries(DESTINATIONS);
    return {
      came: Object.fromEntries(
        entries.map(([to, dst]) => [
          to,
          dropsTo(dst).find(({ event }) => REFUSALS.has(event.reason ?? ''))?.event.reason ?? 'accepted',
        ]),
      ),
      drops: entries.flatMap(([to, dst]) =>
        dropsTo(dst).some(({ event }) => event.reason === reason) ? [to] : [],
      ),
    };
  }
});

/** The kernel's reason for each. */
const REASON_OF: Readonly<Record<string, string>> = {
  strict_mismatch: 'IP_RPFILTER',
  unnumbered_mismatch: 'IP_RPFILTER',
  no_reverse_route: 'IP_RPFILTER',
  local_source: 'IP_LOCAL_SOURCE',
  invalid_source: 'IP_INVALID_SOURCE',
};
const REFUSALS = new Set(Object.values(REASON_OF));

function podOf({ pods }: Pick<Report, 'pods'>, device = 'lxcabcd'): PodReport {
  return pods.find((pod) => pod.device === device) as PodReport;
}

function outcomesOf(report: Pick<Report, 'pods'>): Record<string, string | undefined> {
  return Object.fromEntries(
    podOf(report).passages.map(({ to, outcome = 'unknown' }) => [to, REASON_OF[outcome] ?? outcome]),
  );
}

// biome-ignore lint/suspicious/noExplicitAny: cells are told as they are
function agrees({ said, came }: any): boolean {
  return JSON.stringify(said) === JSON.stringify(came);
}

// biome-ignore lint/suspicious/noExplicitAny: cells are told as they are
function isDropping({ came }: any): boolean {
  return came.outside !== 'accepted';
}

function enter({ all, device, numbered, endpointRoute }: Cell): string {
  return [
    numbered ? 'ip address add 169.254.7.7/32 dev lxcabcd' : '',
    endpointRoute ? `ip route add ${ADDRESS.pod} dev lxcabcd` : '',
    `echo ${all} > ${CONF}/all/rp_filter`,
    `echo ${device} > ${CONF}/lxcabcd/rp_filter`,
  ].join('\n');
}

function leave({ numbered, endpointRoute }: Cell): string {
  return [
    // With its last address a device loses its routes.
    endpointRoute ? `ip route delete ${ADDRESS.pod} dev lxcabcd` : '',
    numbered ? 'ip address delete 169.254.7.7/32 dev lxcabcd' : '',
    `echo 0 > ${CONF}/all/rp_filter`,
    `echo 0 > ${CONF}/lxcabcd/rp_filter`,
  ].join('\n');
}

function ecmp(...devices: string[]): string {
  return `ip route add ${ADDRESS.pod} ${devices.map((device) => `nexthop dev ${device}`).join(' ')}`;
}

function unroute(type = ''): string {
  return `ip route delete ${type} ${ADDRESS.pod}`;
}

function rule(words: string): string {
  return `ip route add ${ADDRESS.pod} dev lxcabcd table 77; ip rule add pref 50 ${words}`;
}

function unrule(): string {
  return 'ip rule delete pref 50; ip route flush table 77';
}

function address(verb: string): string {
  return `ip address ${verb} ${ADDRESS.pod}/32 dev cilium_host`;
}

const BRIDGE = (pod: string) => `
  ip link add cni0 address 0e:00:0a:f4:03:01 type bridge
  ip link set cni0 multicast off addrgenmode none up
  ip address add 10.88.0.1/24 dev cni0
  ip link add vethb type veth peer name eth1 netns ${pod}
  ip link set vethb multicast off addrgenmode none master cni0`;
