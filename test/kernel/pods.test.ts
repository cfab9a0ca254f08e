import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DropEvent, IncidentEvent } from '../../src/events.js';
import { run } from '../../src/lab/process.js';
import { rpFilter } from '../../src/lab/steps.js';
import { ADDRESS, ADDRESS6 } from '../../src/lab/topology.js';
import { type Program, parseEvents, startTrace } from '../process/support/program.js';
import { Containerd, type RealPod } from './support/containerd.js';
import { dropsOf, inLab, useLab } from './support/lab.js';

const lab = useLab();
let containerd: Containerd;

beforeAll(async () => {
  containerd = await Containerd.start({ netns: lab.path('node'), network: 'lxc' });
  const { in: place, run: script } = rpFilter(1);
  await lab.inside(place, script);
});
afterAll(() => containerd?.stop());

describe('a drop of a real pod', () => {
  it('reads as its name, its device and the way back', async () => {
    await using pod = await containerd.runPod({ namespace: 'qfusion-admin', name: 'mssql-0' });
    const { stdout } = await trace(['-o', 'table'], async (running) => {
      await sendUntil(pod, () => running.stdout.includes('qfusion-admin/mssql-0'));
    });
    expect(stdout).toMatch(
      new RegExp(
        ` qfusion-admin/mssql-0 \\(${pod.hostDevices[0]}, via cilium_host\\) -> ${ADDRESS.world}:9 `,
      ),
    );
  });

  it('reads so on its way to a service, also when the pod died a second before', async () => {
    const pod = await containerd.runPod({ namespace: 'qfusion-admin', name: 'mssql-0' });
    const named = ` qfusion-admin/mssql-0 (${pod.hostDevices[0]}, via cilium_host) -> 10.96.0.1:443 `;
    const { stdout } = await trace(['-o', 'table', '--interval', '2000'], async (running) => {
      const count = () => running.stdout.split(named).length - 1;
      await repeat(
        () => pod.connectTo('10.96.0.1', 443),
        () => count() > 0,
      );
      const before = count();
      for (let i = 0; i < 5; i++) await pod.connectTo('10.96.0.1', 443);
      await pod.remove();
      // What was counted meanwhile is told once the pod is gone.
      await until(() => count() > before);
    });
    const lines = stdout.split('\n').filter((line) => line.includes(' -> 10.96.0.1:443 '));
    const known = lines.slice(lines.findIndex((line) => line.includes(named)));
    expect(known.filter((line) => !line.includes(named))).toEqual([]);
  });

  it('counts in the incident, by name', async () => {
    await using pod = await containerd.runPod({ namespace: 'qfusion-admin', name: 'mssql-1' });
    const told = (running: Program) =>
      running.events.filter((event) => event.kind === 'incident').filter(({ pods }) => pods !== undefined);
    let incident: IncidentEvent | undefined;
    await trace([], async (running) => {
      await sendUntil(pod, () => told(running).length > 0);
      incident = told(running)[0];
    });
    expect(incident).toMatchObject({ pods: ['qfusion-admin/mssql-1'], pods_count: 1 });
    expect(incident?.summary).toMatch(/ qfusion-admin\/mssql-1 \(lxc\w+ in network namespace \d+\) lost /);
  });

  it('names it in the event, with who says so, from the pod and to the pod', async () => {
    await using pod = await containerd.runPod({
      namespace: 'qfusion-admin',
      name: 'mssql-0',
      labels: { app: 'mssql' },
    });
    await pod.runContainer('mssql');
    const { drops } = await trace(['--labels'], async (running) => {
      await sendUntil(pod, () => podsIn(running).some(({ container }) => container !== undefined));
    });
    expect(drops.at(-1)).toMatchObject({
      reason: 'IP_RPFILTER',
      device: { name: pod.hostDevices[0], role: 'cilium_lxc' },
      pod: {
        namespace: 'qfusion-admin',
        name: 'mssql-0',
        uid: pod.spec.uid,
        ip: pod.ip,
        container: 'mssql',
        labels: { app: 'mssql' },
        direction: 'from_pod',
        source: 'cri',
      },
    });
  });

  it('is known before and for a while after its end', async () => {
    const pod = await containerd.runPod({ namespace: 'jobs', name: 'short-1' });
    const { drops } = await trace([], async (running) => {
      await sendUntil(pod, () => podsIn(running).length > 0);
      await pod.remove();
      await pause(1000);
      // What was on its way to it dies on the node's side.
      await lab.inside('world', `ping -c 1 -W 1 ${pod.ip} || true`);
    });
    const names = new Set(drops.flatMap(({ pod: one }) => one?.name ?? []));
    expect([...names]).toEqual(['short-1']);
    expect(drops.filter(({ pod: one }) => one).every(({ pod: one }) => one?.uid === pod.spec.uid)).toBe(true);
  });

  it('is named where the pod came and went within a second', async () => {
    await using steady = await containerd.runPod({ namespace: 'jobs', name: 'steady' });
    const { drops } = await trace(
      [],
      async (running) => {
        await sendUntil(steady, () => podsIn(running).length > 0);
        const pod = await containerd.runPod({ namespace: 'jobs', name: 'blink-1' });
        for (let i = 0; i < 5; i++) {
          await pod.sendUdp(ADDRESS.world, { count: 1 });
          await pause(80);
        }
        await pod.remove();
        await running.until(({ events }) =>
          dropsOf(events).some(({ aggregate, packet }) => aggregate && packet?.src === pod.ip),
        );
      },
      ['--interval', '300'],
    );
    expect(drops.flatMap(({ pod: one }) => one?.name ?? [])).toContain('blink-1');
  });

  it('is never given to the pod that had the address before', async () => {
    await rewindAddresses();
    const first = await containerd.runPod({ namespace: 'shop', name: 'old-1' });
    const { drops } = await trace(['--every'], async (running) => {
      await sendUntil(first, () => podsIn(running).length > 0);
      await first.remove();
      await rewindAddresses();
      await using next = await containerd.runPod({ namespace: 'shop', name: 'new-1' });
      expect(next.ip).toBe(first.ip);
      await next.sendUdp(ADDRESS.world, { count: 3 });
      await sendUntil(next, () => podsIn(running).some(({ name }) => name === 'new-1'));
    });
    const ofNew = drops.filter(({ device }) => device.ifindex !== drops[0]?.device.ifindex);
    expect(ofNew.length).toBeGreaterThan(0);
    expect(ofNew.filter(({ pod }) => pod?.name === 'old-1')).toEqual([]);
  });

  it('names it by each of its interfaces and addresses, IPv4 and IPv6', async () => {
    const rule = 'meta nfproto ipv6 udp dport 9 drop';
    await lab.inside(
      'node',
      `nft 'table inet rpfsix { chain in { type filter hook prerouting priority 0; ${rule}; }; }'`,
    );
    await using pod = await containerd.runPod({ namespace: 'shop', name: 'router-two' });
    const addresses = await addressesIn(pod);
    expect(addresses).toHaveLength(4);
    const { drops } = await trace(['--every'], async (running) => {
      await sendUntil(pod, () => podsIn(running).length > 0);
      for (const { device, ip } of addresses) {
        const to = ip.includes(':') ? ADDRESS6.world : ADDRESS.world;
        await repeat(
          () => pod.sendUdp(to, { count: 1, src: ip, device }),
          () => podsIn(running).some((told) => told.ip === ip),
        );
      }
    });
    await lab.inside('node', 'nft delete table inet rpfsix');
    const told = drops.filter(({ pod: one }) => one?.name === 'router-two');
    expect(new Set(told.map(({ pod: one }) => one?.ip))).toEqual(new Set(addresses.map(({ ip }) => ip)));
    expect(new Set(told.map(({ device }) => device.name))).toEqual(new Set(pod.hostDevices));
    expect(told.filter(({ pod: one }) => one?.conflict ?? one?.direction !== 'from_pod')).toEqual([]);
  });

  it('tells a forged source, and both pods', async () => {
    await using pod = await containerd.runPod({ namespace: 'shop', name: 'liar' });
    await using victim = await containerd.runPod({ namespace: 'shop', name: 'victim' });
    const { drops } = await trace([], async (running) => {
      await sendUntil(pod, () => podsIn(running).length > 0);
      await sendUntil(victim, () => podsIn(running).some(({ name }) => name === 'victim'));
      await pod.sendUdp(ADDRESS.world, { count: 1, src: victim.ip });
      await running.until(() => podsIn(running).some(({ conflict }) => conflict !== undefined));
    });
    const forged = drops.find(({ pod: one }) => one?.conflict !== undefined);
    expect(forged?.pod).toMatchObject({
      name: 'liar',
      conflict: { kind: 'address', namespace: 'shop', name: 'victim', uid: victim.spec.uid },
    });
  });

  it('of a reply that dies on its way back is the pod’s too', async () => {
    await using pod = await containerd.runPod({ namespace: 'shop', name: 'reader' });
    const isReply = ({ packet }: DropEvent) => packet?.dst === pod.ip && packet.dst_port === 9;
    const { drops } = await trace(
      [],
      async (running) => {
        await sendUntil(pod, () => podsIn(running).length > 0);
        // Nobody listens: the pod's own network namespace drops it.
        await lab.inside('node', `bash -c 'echo hello > /dev/udp/${pod.ip}/9'`);
        await running.until(() => dropsOf(running.events).some(isReply));
      },
      ['--netns', pod.netnsPath],
    );
    expect(drops.find(isReply)).toMatchObject({
      packet: { dst_port: 9 },
      pod: { name: 'reader', ip: pod.ip, direction: 'to_pod' },
    });
  });
});

describe('a pod with the network of the node', () => {
  const agent = { namespace: 'kube-system', name: 'agent', hostNetwork: true };
  const refusal =
    'table ip rpfagent { chain out { type filter hook output priority 0; udp dport 4789 drop; }; }';
  beforeAll(() => lab.inside('node', `nft '${refusal}'`));
  afterAll(() => lab.inside('node', 'nft delete table ip rpfagent'));

  it('is named by the socket that sent the packet, with its container', async () => {
    await using pod = await containerd.runPod(agent);
    await pod.runContainer('idle');
    await pod.runContainer('overlay', ['udp', ADDRESS.world, '4789', '20']);
    const { drops } = await trace([], async (running) => {
      await running.until(() => podsIn(running).length > 0);
    });
    expect(drops.find(({ pod: one }) => one?.name)).toMatchObject({
      packet: { dst: ADDRESS.world, dst_port: 4789 },
      pod: { ...nameOf(pod), container: 'overlay', direction: 'from_pod', source: 'cri' },
    });
  });

  it('is named by the socket that had no room for the packet', async () => {
    await using pod = await containerd.runPod(agent);
    await pod.runContainer('server', ['hoard', '4790']);
    const isFull = ({ packet, pod: one }: DropEvent) => packet?.dst_port === 4790 && one?.name !== undefined;
    const { drops } = await trace(['--every'], async (running) => {
      await repeat(
        () => lab.inside('world', `bash -c 'echo hello > /dev/udp/${ADDRESS.node}/4790'`),
        () => dropsOf(running.events).some(isFull),
      );
    });
    expect(drops.find(isFull)).toMatchObject({
      packet: { src: ADDRESS.gateway },
      pod: { ...nameOf(pod), container: 'server', direction: 'to_pod', source: 'cri' },
    });
  });

  it('can be filtered for', async () => {
    await using pod = await containerd.runPod(agent);
    await using other = await containerd.runPod({ ...agent, name: 'other' });
    await pod.runContainer('overlay', ['udp', ADDRESS.world, '4789', '20']);
    await other.runContainer('overlay', ['udp', ADDRESS.world, '4789', '20']);
    const { drops, stderr } = await trace(['--pod', 'kube-system/agent', '--every'], async (running) => {
      await running.until(() => podsIn(running).length > 3);
    });
    expect(stderr).toContain(
      'pod kube-system/agent has the network of the node: traced are packets of its sockets',
    );
    expect(new Set(drops.map(({ pod: one }) => one?.uid))).toEqual(new Set([pod.spec.uid]));
  });
});

describe('a filter on pods', () => {
  it('waits for a pod, follows it, and lets no other one pass', async () => {
    await using other = await containerd.runPod({ namespace: 'shop', name: 'other' });
    const wanted = ['--pod', 'shop/wanted', '--every'];
    const { drops, stderr } = await trace(wanted, async (running) => {
      await other.sendUdp(ADDRESS.world, { count: 3 });
      await until(() => running.stderr.includes('waiting for pod shop/wanted'));
      await using pod = await containerd.runPod({ namespace: 'shop', name: 'wanted' });
      await sendUntil(pod, () => dropsOf(running.events).length > 0);
      await other.sendUdp(ADDRESS.world, { count: 3 });
      await pod.sendUdp(ADDRESS.world, { count: 1 });
    });
    expect(stderr).toContain('tracing pod shop/wanted');
    expect(drops.length).toBeGreaterThanOrEqual(2);
    expect(drops.filter(({ pod }) => pod?.name !== 'wanted')).toEqual([]);
  });

  it('knows namespaces and labels', async () => {
    await using red = await containerd.runPod({ namespace: 'shop', name: 'red', labels: { color: 'red' } });
    await using blue = await containerd.runPod({
      namespace: 'shop',
      name: 'blue',
      labels: { color: 'blue' },
    });
    await using away = await containerd.runPod({ namespace: 'away', name: 'red', labels: { color: 'red' } });
    const wanted = ['--namespace', 'shop', '--selector', 'color in (red,green)'];
    const { drops } = await trace(wanted, async (running) => {
      await sendUntil(red, () => podsIn(running).length > 0);
      await Promise.all([blue, away, red].map((pod) => pod.sendUdp(ADDRESS.world, { count: 2 })));
    });
    const pods = new Set(drops.map(({ pod }) => `${pod?.namespace}/${pod?.name}`));
    expect([...pods]).toEqual(['shop/red']);
  });

  it('--this-pod sees from inside of a pod what becomes of its packets outside, and needs no source', async () => {
    await using pod = await containerd.runPod({ namespace: 'shop', name: 'me' });
    await using other = await containerd.runPod({ namespace: 'shop', name: 'other' });
    const running = await startTrace(['-o', 'ndjson', '--every', '--this-pod'], {
      under: ['nsenter', `--net=${pod.netnsPath}`],
    });
    try {
      await other.sendUdp(ADDRESS.world, { count: 3 });
      await pod.sendUdp(ADDRESS.world, { count: 3 });
      await running.until(({ events }) => dropsOf(events).length >= 3);
      const { stdout } = await running.stop();
      const drops = dropsOf(parseEvents(stdout));
      expect(drops.filter(({ device }) => device.name === pod.hostDevices[0])).toHaveLength(3);
      expect(drops.filter(({ packet }) => packet?.src === other.ip)).toEqual([]);
    } finally {
      running.kill('SIGKILL');
    }
  });
});

/** Traces the lab's node with containerd as the only source, until the work is done. */
async function trace(
  args: readonly string[],
  work: (running: Program) => Promise<void>,
  more: readonly string[] = [],
): Promise<{ stdout: string; stderr: string; drops: DropEvent[] }> {
  const output = args.includes('-o') ? [] : ['-o', 'ndjson'];
  const sources = ['--no-cilium', '--no-kubernetes', '--cri-socket', containerd.socket];
  const running = await startTrace([...output, ...inLab(lab, ['node']), ...sources, ...args, ...more]);
  try {
    await work(running);
    const { stdout, stderr } = await running.stop();
    return { stdout, stderr, drops: output.length > 0 ? dropsOf(running.events) : [] };
  } finally {
    running.kill('SIGKILL');
  }
}

/** Sends packets that are refused, until the trace has learned what the test waits for. */
async function sendUntil(pod: RealPod, satisfied: () => boolean): Promise<void> {
  await repeat(() => pod.sendUdp(ADDRESS.world, { count: 1 }), satisfied);
}

async function repeat(send: () => Promise<unknown>, satisfied: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!satisfied()) {
    if (Date.now() > deadline) throw new Error('the trace does not learn of the pod');
    await send();
    await pause(50);
  }
}

function nameOf({ spec: { namespace, name, uid } }: RealPod): {
  namespace: string;
  name: string;
  uid: string;
} {
  return { namespace, name, uid };
}

async function until(satisfied: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!satisfied()) {
    if (Date.now() > deadline) throw new Error('what the test waits for does not come');
    await pause(20);
  }
}

/** The next pod gets the first address again, if nobody has it. The plugin gives them in turn. */
async function rewindAddresses(): Promise<void> {
  const folder = join(containerd.folder, 'cni', 'ipam', 'rpftrace');
  const files = await readdir(folder).catch(() => []);
  await Promise.all(files.filter((name) => name.startsWith('last_')).map((name) => rm(join(folder, name))));
}

async function addressesIn(pod: RealPod): Promise<{ device: string; ip: string }[]> {
  const text = await run('nsenter', [
    `--net=${pod.netnsPath}`,
    'ip',
    '-j',
    'address',
    'show',
    'scope',
    'global',
  ]);
  const devices = JSON.parse(text) as { ifname: string; addr_info: { local: string }[] }[];
  return devices.flatMap(({ ifname, addr_info }) =>
    addr_info.map(({ local }) => ({ device: ifname, ip: local })),
  );
}

/** Those whose name is known: processes tell of a pod before the runtime does. */
function podsIn(running: Program): NonNullable<DropEvent['pod']>[] {
  return dropsOf(running.events).flatMap(({ pod }) => (pod?.name === undefined ? [] : pod));
}
