import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Rpf } from '../../src/events.js';
import { checkSource, type Outcome } from '../../src/explain/check.js';
import { ReverseRoutes } from '../../src/explain/route.js';
import type { Lab } from '../../src/lab/lab.js';
import type { LabPacket } from '../../src/lab/packet.js';
import { send } from '../../src/lab/sender.js';
import { ADDRESS, type Place } from '../../src/lab/topology.js';
import { Witness } from '../../src/lab/witness.js';
import { addon } from './support/addon.js';
import { useLab } from './support/lab.js';

/*
 * Every combination of settings and ways back, on the real kernel: what the model of the kernel says that it does is what it
 * does, and the verdict on what it refuses is the model's branch. Each source address has a way back of its own, so that one
 * burst tries all of them.
 */

const PREFIX = '198.18.0.';

/** What the way back to each source is, in the order of the addresses from 198.18.0.1 on. */
type Way = (there: Site) => string;

interface Site {
  readonly place: Place;
  /** Where the packets come in. */
  readonly device: string;
  /** Another device with IPv4. */
  readonly other: string;
  readonly customRules: boolean;
  /** The packets are for somebody else. */
  readonly forwards: boolean;
  readonly packet: LabPacket;
  /** Gives the device its only address, and takes it away. */
  readonly number: string;
  readonly unnumber: string;
}

const WAYS: readonly Way[] = [
  ({ device }) => `ip route add ${source(0)} dev ${device}`,
  ({ other }) => `ip route add ${source(1)} dev ${other}`,
  () => `ip route add throw ${source(2)}`,
  () => `ip route add unreachable ${source(3)}`,
  () => `ip route add blackhole ${source(4)}`,
  () => `ip route add prohibit ${source(5)}`,
  ({ device, other }) => `ip route add ${source(6)} nexthop dev ${other} nexthop dev ${device}`,
  ({ other }) => `ip route add ${source(7)} nexthop dev ${other} nexthop dev lo`,
  ({ device }) => `ip nexthop add id 8 dev ${device}; ip route add ${source(8)} nhid 8`,
  ({ other }) => `ip nexthop add id 9 dev ${other}; ip route add ${source(9)} nhid 9`,
  ({ other }) => `ip address add ${source(10)}/32 dev ${other}`,
  ({ other }) => `ip route add broadcast ${source(11)} dev ${other} table local`,
  ({ device }) => `ip route add ${source(12)} dev ${device} table 77; ip route add ${source(12)} dev lo`,
];

const VALUES = [-1, 0, 1, 2, 3];
const BOTH = [false, true];

interface Setting {
  readonly all: number;
  readonly device: number;
  readonly numbered: boolean;
  readonly acceptLocal: boolean;
  readonly mark: boolean;
  readonly forwarding: boolean;
}

const SETTINGS: readonly Setting[] = BOTH.flatMap((numbered) =>
  BOTH.flatMap((acceptLocal) =>
    VALUES.flatMap((all) =>
      VALUES.map((device) => ({ all, device, numbered, acceptLocal, mark: false, forwarding: true })),
    ),
  ),
);

/** The mark leads to table 2004, where everything is local. */
const MARKED = SETTINGS.filter(({ all, device }) => all >= 0 && all <= 2 && device === 0).map((setting) => ({
  ...setting,
  mark: true,
}));

/** Packets that are to be forwarded are refused before anybody looks at their source. */
const UNFORWARDED = SETTINGS.filter(({ device }) => device === 0 || device === 2).map((setting) => ({
  ...setting,
  forwarding: false,
}));

const NODE: Site = {
  place: 'node',
  device: 'lxcabcd',
  other: 'cilium_host',
  customRules: true,
  forwards: true,
  packet: { from: 'pod', kind: 'udp', src: source(0), dst: ADDRESS.world },
  number: 'ip address add 169.254.7.7/32 dev lxcabcd',
  unnumber: 'ip address delete 169.254.7.7/32 dev lxcabcd',
};

/** Where nobody has added a rule the kernel takes a shorter way when rp_filter is 0. */
const WORLD: Site = {
  place: 'world',
  device: 'eth0',
  other: 'other',
  customRules: false,
  forwards: false,
  packet: { from: 'node', kind: 'udp', src: source(0), dst: ADDRESS.world },
  number: 'ip address add 192.0.2.1/32 dev eth0',
  unnumber: 'ip address delete 192.0.2.1/32 dev eth0',
};

const PREPARE_WORLD = `
  ip address delete 192.0.2.1/24 dev eth0
  ip link add other type veth peer name another
  ip link set other up arp off multicast off addrgenmode none
  ip link set another up arp off multicast off addrgenmode none`;

const REASON_OF: Readonly<Record<Exclude<Outcome, 'accepted'>, string>> = {
  strict_mismatch: 'IP_RPFILTER',
  unnumbered_mismatch: 'IP_RPFILTER',
  no_reverse_route: 'IP_RPFILTER',
  local_source: 'IP_LOCAL_SOURCE',
  invalid_source: 'IP_INVALID_SOURCE',
};

describe('model and kernel agree in every cell', () => {
  const lab = useLab();
  let witness: Witness;
  beforeAll(async () => {
    witness = await Witness.open(lab);
    await lab.inside('world', PREPARE_WORLD);
    for (const site of [NODE, WORLD]) {
      await lab.inside(
        site.place,
        waysOf(site)
          .map((way) => way(site))
          .join('\n'),
      );
    }
    // The rule looks at the device that the reversed packet would come in by.
    await lab.inside('node', 'ip rule add pref 50 iif eth0 lookup 77');
  });
  afterAll(() => witness[Symbol.asyncDispose]());

  it('with policy rules', () => expectAgreement(NODE, SETTINGS));

  it('without policy rules, whether the device forwards or not', () =>
    // With its last address a device loses its routes: it gets one once, and loses it once.
    expectAgreement(
      WORLD,
      [...SETTINGS, ...UNFORWARDED].sort((one, other) => Number(one.numbered) - Number(other.numbered)),
    ));

  it('with a mark that src_valid_mark takes into the lookup', async () => {
    const table = 'table ip rpftrace_matrix';
    await lab.inside(
      'node',
      `nft '${table} { chain c { type filter hook prerouting priority raw; iifname lxcabcd meta mark set 0x200; }; }'
       echo 1 > /proc/sys/net/ipv4/conf/all/src_valid_mark`,
    );
    await expectAgreement(NODE, MARKED);
    await lab.inside('node', `nft delete ${table}; echo 0 > /proc/sys/net/ipv4/conf/all/src_valid_mark`);
  });

  it('where the device does not forward: what is for somebody else is refused for that', async () => {
    await expectAgreement(NODE, UNFORWARDED);
    await lab.inside('node', 'echo 1 > /proc/sys/net/ipv4/conf/lxcabcd/forwarding');
  });

  async function expectAgreement(site: Site, settings: readonly Setting[]): Promise<void> {
    const cells: Cell[] = [];
    for (const [index, setting] of settings.entries()) {
      const isOther = setting.numbered !== (settings[index - 1]?.numbered ?? false);
      const step = setting.numbered ? site.number : site.unnumber;
      await lab.inside(site.place, `${isOther ? step : ''}\n${sysctls(site.device, setting)}`);
      cells.push(...(await tryWays(site, setting)));
    }
    if (settings.at(-1)?.numbered) await lab.inside(site.place, site.unnumber);

    expect(cells.filter(({ expected, came }) => !agree(expected, came)).slice(0, 10)).toEqual([]);
    expect(cells.filter(({ came }) => came.endsWith(NO_TIME)).length).toBeLessThan(cells.length / 10);
    expect(cells).toHaveLength(settings.length * waysOf(site).length);
    expect(cells.filter(({ came }) => came !== 'accepted').length).toBeGreaterThan(cells.length / 10);
  }

  async function tryWays(site: Site, setting: Setting): Promise<Cell[]> {
    const flows = waysOf(site).length;
    await send(lab, { ...site.packet, flows, spread: 'address' }, { count: flows });
    const seen = await refused(site, witness);
    return predict(lab, site, setting, flows).map((outcome, way) => ({
      setting,
      src: source(way),
      expected: site.forwards && !setting.forwarding ? UNSEEN : describeOutcome(outcome),
      came: seen.get(source(way)) ?? 'accepted',
    }));
  }
});

/** ip_error(), net/ipv4/route.c */
const UNSEEN = 'IP_INADDRERRORS not_rpf';
const NO_TIME = '(no time)';

function agree(expected: string, came: string): boolean {
  return came === expected || came === `${expected.split(' ')[0]} ${NO_TIME}`;
}

interface Cell {
  readonly setting: Setting;
  readonly src: string;
  readonly expected: string;
  readonly came: string;
}

/** The last one looks at a policy rule. */
function waysOf({ customRules }: Site): readonly Way[] {
  return WAYS.slice(0, customRules ? undefined : -1);
}

/** Reason and verdict of each source that was refused where the packets came in. */
async function refused(site: Site, witness: Witness): Promise<Map<string, string>> {
  const drops = await witness.drops();
  return new Map(
    drops.flatMap(({ place, event: { reason, packet, device, rpf } }) =>
      place === site.place && device.name === site.device && packet?.src?.startsWith(PREFIX)
        ? [[packet.src, isRefusal(reason) ? outcomeOf(reason, rpf) : 'accepted'] as const]
        : [],
    ),
  );
}

/** On a busy machine lookups may take more time than they are given: then there is a reason, and no verdict. */
function outcomeOf(reason: string | undefined, rpf: Rpf | undefined): string {
  const hadNoTime = /too many sources/.test(rpf?.verdict_unknown ?? '');
  return hadNoTime ? `${reason} ${NO_TIME}` : `${reason} ${rpf?.verdict}`;
}

function isRefusal(reason: string | undefined): boolean {
  return reason === 'IP_INADDRERRORS' || Object.values(REASON_OF).includes(reason ?? '');
}

function predict(lab: Lab, site: Site, setting: Setting, ways: number): Outcome[] {
  const routes = new ReverseRoutes({ addon, now: () => 0 }); // a busy machine takes its time; the model may
  const netns = lab.inode(site.place);
  const ifindex = addon.route(netns, { dst: source(0) }).ifindex as number;
  return Array.from({ length: ways }, (_, way) => {
    const passage = { netns, src: source(way), dst: site.packet.dst, mark: setting.mark ? 0x200 : 0 };
    const { route, customRules } = routes.find(passage).evidence;
    if (route.kind === 'unknown') throw new Error(route.why);
    return checkSource({
      all: setting.all,
      device: setting.device,
      acceptLocal: { all: false, device: setting.acceptLocal },
      unnumbered: !setting.numbered,
      ifindex,
      isLoopback: false,
      customRules,
      route,
    });
  });
}

function describeOutcome(outcome: Outcome): string {
  return outcome === 'accepted' ? outcome : `${REASON_OF[outcome]} ${outcome}`;
}

function sysctls(device: string, { all, device: own, acceptLocal, forwarding }: Setting): string {
  const conf = '/proc/sys/net/ipv4/conf';
  return [
    `echo ${all} > ${conf}/all/rp_filter`,
    `echo ${own} > ${conf}/${device}/rp_filter`,
    `echo ${acceptLocal ? 1 : 0} > ${conf}/${device}/accept_local`,
    `echo ${forwarding ? 1 : 0} > ${conf}/${device}/forwarding`,
  ].join('\n');
}

function source(way: number): string {
  return `${PREFIX}${way + 1}`;
}
