import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { event, jsonSchema, type TraceEvent, type Writer } from '../../src/events.js';
import { FLAGS, LOST_WHERE, ROUTE_ACTION, ROUTE_CHANGED } from '../../src/record/layout.gen.js';
import { lostLine } from '../../src/serve/readers/lost-line.js';
import { FakeAddon } from '../fixtures/addon.js';
import { makeDrop, makeLink, makeLost, makeSysctl, type RouteChangeFields } from '../fixtures/batch.js';
import { temporaryDirectory } from '../fixtures/directory.js';
import { ToldJournal } from '../fixtures/journal.js';
import { traceLines } from '../fixtures/pipeline.js';
import { BY_CILIUM_HOST } from '../fixtures/routes.js';
import { makeRule } from '../fixtures/rules.js';
import { FakeSource, mssql } from '../fixtures/source.js';
import { NETNS, World } from '../fixtures/world.js';

interface Schema {
  readonly properties?: Record<string, Schema>;
  readonly items?: Schema;
  readonly oneOf?: readonly Schema[];
  readonly const?: unknown;
}

const schemas = (jsonSchema() as Schema).oneOf as Schema[];
const docs = readFileSync(new URL('../../docs/events.md', import.meta.url), 'utf8');

describe.each(schemas.map((schema) => [String(schema.properties?.kind?.const), schema] as const))(
  'the %s event',
  (kind, schema) => {
    test('is documented key by key, in the order of the schema', () => {
      expect(documentedKeys(kind)).toEqual(keysOf(schema).filter((key) => !REPEATED.test(key)));
    });

    test('is written with every key of the schema, in this order', async () => {
      const written = (await everyEvent()).filter((one) => one.kind === kind);
      expect(written.length).toBeGreaterThan(0);
      const order = keysOf(schema);
      const seen = new Set<string>();
      for (const one of written) {
        event.parse(one);
        const keys = keysWritten(one);
        expect(keys).toEqual(order.filter((key) => keys.includes(key)));
        for (const key of keys) seen.add(key);
      }
      expect(order.filter((key) => !seen.has(key) && !REPEATED.test(key))).toEqual([]);
    });
  },
);

test('a change within an incident has members of a sysctl_change or of its cause.route', () => {
  const repeated = keysOf(schemaOf('incident')).filter((key) => REPEATED.test(key));
  const changeKeys = keysOf(schemaOf('sysctl_change'));
  const writerKeys = changeKeys.flatMap((key) => (key.startsWith('writer.') ? [key.slice(7)] : []));
  const routeKeys = keysOf(schemaOf('incident')).flatMap((key) =>
    key.startsWith('cause.route.') ? [key.slice(12)] : [],
  );
  const known = [...changeKeys, ...writerKeys, ...routeKeys];
  expect(repeated.map((key) => key.replace(REPEATED, '')).filter((key) => !known.includes(key))).toEqual([]);
});

test('the example in the documentation is a valid event', () => {
  const examples = [...docs.matchAll(/```json\n([\s\S]*?)```/g)].map((match) => match[1] as string);
  expect(examples.length).toBeGreaterThanOrEqual(4);
  for (const example of examples) {
    const parsed = JSON.parse(example);
    event.parse(parsed);
    const schema = schemaOf(parsed.kind);
    const keys = keysWritten(parsed);
    expect(keys).toEqual(keysOf(schema).filter((key) => keys.includes(key)));
  }
});

/** What is documented once, with sysctl_change and with cause.route. */
const REPEATED =
  /^(cause\.change|cause\.also\[\]|closed_by\.change|cause\.route\.writer|cause\.came_with|closed_by\.route)\./;

function schemaOf(kind: string): Schema {
  return schemas.find((one) => one.properties?.kind?.const === kind) as Schema;
}

/** Paths of all keys, depth first: "packet", "packet.family", ... Elements of arrays are written as "hooks[].name". */
function keysOf(schema: Schema, prefix = ''): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, member]) => {
    const path = `${prefix}${key}`;
    if (member.items) return [path, ...keysOf(member.items, `${path}[].`)];
    return [path, ...keysOf(member, `${path}.`)];
  });
}

function keysWritten(value: object, prefix = ''): string[] {
  return Object.entries(value).flatMap(([key, member]) => {
    const path = `${prefix}${key}`;
    if (Array.isArray(member)) {
      const elements = member.filter((element) => typeof element === 'object');
      return [path, ...new Set(elements.flatMap((element) => keysWritten(element, `${path}[].`)))];
    }
    // Keys of labels are people's own.
    return typeof member === 'object' && member !== null && key !== 'labels'
      ? [path, ...keysWritten(member, `${path}.`)]
      : [path];
  });
}

/** The keys in the first column of the tables below the event's heading. */
function documentedKeys(kind: string): string[] {
  const section = docs.split(/^## /m).find((part) => part.startsWith(`\`${kind}\``)) ?? '';
  return [...section.matchAll(/^\| `([^`]+)` \|/gm)].map((match) => match[1] as string);
}

/** Events that have all keys between them. */
// biome-ignore lint/suspicious/noExplicitAny: tests look at single members of events
async function everyEvent(): Promise<any[]> {
  const own = (await traceLines([])).events[0].netns as number;
  const all = FLAGS.DEVICE | FLAGS.PEER | FLAGS.CONF | FLAGS.L3 | FLAGS.L4_PROTOCOL | FLAGS.L4 | FLAGS.VLAN;
  const snap = Uint8Array.of(1, 2, 3);
  const { tcp, icmp } = { tcp: 6, icmp: 1 };
  const records = [
    makeLink({ ifindex: 3, name: 'cni0' }),
    makeLink({ ifindex: 12, name: 'renamed', masterIfindex: 3 }),
    makeDrop({
      flags: all | FLAGS.TCP_FLAGS | FLAGS.FRAGMENT | FLAGS.NONLINEAR | FLAGS.SNAP_NONLINEAR,
      netns: own,
      protocol: tcp,
      gsoSegs: 3,
      gsoSize: 1448,
      peerIfindex: 2,
      peerNetns: 7,
      peerDevice: 'eth0',
      snap,
    }),
    makeDrop({ flags: all, protocol: icmp, icmpType: 8 }),
    makeDrop({ flags: FLAGS.L3_SHORT, reason: 0 }),
    makeDrop({ flags: all | FLAGS.L4_SHORT }),
    makeDrop({ flags: all | FLAGS.AGGREGATE, count: 5n }),
    makeDrop({ flags: FLAGS.DEVICE | FLAGS.AGGREGATE | FLAGS.COARSE, count: 5n }),
    makeLost({ count: 1n, where: LOST_WHERE.LOST_RING, reason: 16, netns: own }),
  ];
  const traced = [
    ...(await traceAll(records, own)),
    ...(await refusals(own)),
    ...(await podsAndPeers(own)),
    ...(await changes()),
    ...(await traceLines([], { cause: { why: 'error', error: 'x' }, addon: withoutReasons() })).events,
    ...(await traceLines([], { root: withoutCapabilities() })).events,
  ];
  return [...traced, ...served(traced as TraceEvent[])];
}

/** The same events from a server, and what it tells a reader that was too slow. */
function served(traced: readonly TraceEvent[]): object[] {
  const told = new ToldJournal();
  told.tell(...traced);
  const [, second] = traced;
  const lost = lostLine(
    { events: 2, drops: 3, unknown: 'the server was started again' },
    second as TraceEvent,
  );
  return [...told.text.trimEnd().split('\n'), lost].map((line) => JSON.parse(line));
}

/** Refused sources with all that can be said of them. */
async function refusals(own: number): Promise<object[]> {
  const flags = FLAGS.DEVICE | FLAGS.CONF | FLAGS.L3;
  const [pod, local, gone, none] = [
    [10, 0, 0, 1],
    [10, 0, 0, 2],
    [10, 0, 0, 3],
    [10, 0, 0, 4],
  ];
  const addon = new FakeAddon();
  addon.names.delete(89); // a kernel before 6.13
  const route = { type: 1, table: 254, prefix: '10.0.0.0/24', device: 'cilium_host', ifindex: 4 };
  addon.routes.set('10.0.0.1', { ...route, gateway: '10.0.0.9', hops: [4, 5], hopCount: 2, nexthopId: 8 });
  addon.routes.set('10.0.0.2', { ...route, type: 2, hops: [4], hopCount: 1 });
  addon.routes.set('10.0.0.3', { ...route, hops: [12], hopCount: 1 });
  const root = temporaryDirectory();
  mkdirSync(join(root, 'etc/sysctl.d'), { recursive: true });
  writeFileSync(join(root, 'etc/sysctl.d/50.conf'), 'net.ipv4.conf.all.rp_filter = 1');
  symlinkSync('60.conf', join(root, 'etc/sysctl.d/60.conf')); // a circle
  const records = [
    makeDrop({ flags, src: pod, netns: own }),
    makeDrop({ flags, src: pod, netns: 7 }),
    makeDrop({
      flags: flags | FLAGS.WITNESS,
      src: pod,
      netns: own,
      witnessIfindex: 9,
      witnessDevice: 'eth1',
    }),
    makeDrop({ flags, src: local, netns: own, reason: 2 }),
    makeDrop({ flags, src: gone, netns: own }),
    makeDrop({ flags, src: none, netns: own }),
    makeDrop({ flags, src: pod, netns: 0 }),
    makeDrop({ flags, src: [224, 0, 0, 1], netns: own, reason: 2 }),
    makeDrop({ flags, src: pod, netns: own, reason: 12, mark: 1 }),
  ];
  addon.filterRules = { rules: [makeRule({ more: true, comment: 'x', packets: 1 })], isCut: false };
  return (await traceLines(records, { addon, root: `${root}/` })).events;
}

/** Drops of pods with all that can be said of them. */
async function podsAndPeers(own: number): Promise<object[]> {
  const workload = { kind: 'StatefulSet', name: 'mssql' };
  const source = new FakeSource(
    'cri',
    [
      mssql({ uid: 'a', workload, labels: { app: 'mssql' }, containers: [{ id: 'c', name: 'mssql' }] }),
      { key: 'b', namespace: 'x', name: 'b', uid: 'b', workload, interfaces: [{ ips: ['10.244.3.9'] }] },
    ],
    [{ key: 's', kind: 'service', ips: ['10.96.0.1'], namespace: 'default', name: 'kubernetes' }],
  );
  const records = [
    makeDrop({ netns: own, dst: [10, 244, 3, 9] }),
    makeDrop({ netns: own, src: [10, 244, 3, 9], dst: [10, 96, 0, 1] }),
    makeDrop({ netns: own, ifindex: 2, device: 'eth0', deviceKind: '', src: [10, 244, 3, 136] }),
    makeDrop({ netns: own, ifindex: 13, device: 'lxcother', src: [10, 244, 3, 7] }),
  ];
  source.state = { name: 'cri', state: 'connecting', at: '/run/x.sock', why: 'not yet', ageMs: 1, pods: 2 };
  const start = source.start.bind(source);
  source.start = (observer) => {
    const { state } = source;
    start(observer);
    source.state = state;
    const hostDevice = { name: 'cilium_host', ifindex: 7, ips: ['10.244.3.1'] };
    observer.node({ hostDevice, routingMode: 'tunnel' });
  };
  return (await traceLines(records, { pods: { sources: [source], labels: true } })).events;
}

/** Writes and incidents of all kinds. */
async function changes(): Promise<object[]> {
  const { events } = await traceLines([makeSysctl(), makeDrop()], {
    incidents: true,
  });
  const line = { file: '/a', line: 1, key: 'net.ipv4.conf.all.rp_filter', value: '1', by: 'tuned' } as const;
  const world = new World({
    writer: FULL_WRITER,
    undoing: () => ({ persisted: [line], persisted_unknown: '/b: permission denied' }),
    sourceOf: () => line,
    hints: () => [{ kind: 'file_written', name: '/a:1', time: '1970-01-01T00:00:00.000000000Z' }],
  }).devices({ lxcabcd: 0 });
  world.settings.baseline(NETNS);
  world.pass(1);
  world.write('all', '1');
  world.write('lxcabcd', '1', { old: undefined });
  world.write('all', '2', { netns: 7, old: '0\n' });
  world.settle();
  world.drop({ pod: 'default/web-0' });
  world.tell();
  world.drop({ netns: 7 });
  world.devices({ lxcabcd: 1 }, 9);
  world.settings.baseline(9);
  world.drop({ netns: 9 });
  world.drop({ netns: 7, reason: 'IP_LOCALNET', ailment: { route: { kind: 'unknown', why: 'x' } } });
  world.tell();
  world.pass(1);
  routeCauses(world);
  world.write('all', '0');
  world.write('lxcabcd', '0');
  world.settle();
  world.pass(2000);
  world.set('lxcnew', 2);
  world.reconcile();
  world.pass(40_000);
  world.settle();
  world.tell();
  return [...events, ...world.events];
}

/** Changes of routes of all kinds, as causes and as ends. */
function routeCauses(world: World): void {
  const deleted = { action: ROUTE_ACTION.ACTION_DELETED, prefix: '10.244.3.136/32', ifindex: 12, hops: [12] };
  const by = (what: number, netns: number, fields: RouteChangeFields = {}) => {
    world.devices({ lxcabcd: 1 }, netns);
    world.settings.baseline(netns);
    world.change({ ...deleted, what, netns, ...fields });
    world.drop({ netns });
    world.tell();
  };
  by(ROUTE_CHANGED.CHANGED_ROUTE, 20, { nexthopId: 5 });
  by(ROUTE_CHANGED.CHANGED_MANY, 21, { portId: 0 });
  world.devices({ lxcabcd: 1 }, 22);
  world.change({ ...deleted, netns: 22, what: ROUTE_CHANGED.CHANGED_ADDRESS, prefix: '10.244.3.136/25' });
  by(ROUTE_CHANGED.CHANGED_ROUTE, 22, { portId: 0, protocol: 2, table: 254 });
  world.reverse = { route: { ...BY_CILIUM_HOST, hops: [12] }, customRules: true };
  world.change({ netns: 20 });
}

const FULL_WRITER: Writer = {
  pid: 812,
  comm: 'tuned',
  exe: '/usr/sbin/tuned',
  exe_from: 'record',
  exe_cut: true,
  cmdline: ['/usr/sbin/tuned'],
  cmdline_cut: true,
  parents: [{ pid: 1, comm: 'systemd' }],
  uid: 0,
  cgroup: '/system.slice/tuned.service',
  cgroup_unknown: 'the process and its cgroup are gone',
  systemd_unit: 'tuned.service',
  container_id: 'ab'.repeat(32),
  netns: NETNS,
};

function withoutReasons(): FakeAddon {
  const addon = new FakeAddon();
  addon.names = new Map();
  return addon;
}

async function traceAll(records: readonly Uint8Array[], own: number): Promise<object[]> {
  const addon = new FakeAddon();
  const place = { netns: own, netnsCookie: 5n, pid: 1, path: '/proc/1/ns/net' };
  let reading = 0n;
  // Each reading finds more than the one before, so that a window is left.
  addon.netnsCounters = () => [{ ...place, reversePathFilter: reading++ }];
  const { events } = await traceLines(records, {
    addon,
    config: { intervalMs: 1000, snaplen: 64 },
    filters: {
      ...{ reasons: ['IP_RPFILTER'], devices: ['lxc*'], netns: [own], expression: 'tcp' },
      ...{ namespaces: ['shop'], pods: ['shop/cart-1'], selector: 'app=cart', this_pod: true },
    },
    cause: { why: 'signal', signal: 'SIGINT' },
    meanwhile: ({ tracer }) => {
      tracer.rows = [{ netns: own, netnsCookie: 5n, reason: 16, seen: 5n, matched: 5n, lost: 0n }];
    },
  });
  return events;
}

/** A root whose /proc says that this process has none. */
function withoutCapabilities(): string {
  const root = `${temporaryDirectory()}/`;
  mkdirSync(`${root}proc/self`, { recursive: true });
  writeFileSync(`${root}proc/self/status`, 'CapEff:\t0000000000000000\n');
  return root;
}
