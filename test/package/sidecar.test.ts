import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { IncidentEvent, TraceEvent } from '../../src/events.js';
import { attempt } from '../../src/lab/process.js';
import { rpFilter } from '../../src/lab/steps.js';
import { ADDRESS } from '../../src/lab/topology.js';
import { Containerd, type RealPod } from '../kernel/support/containerd.js';
import { count, dropsOf, useLab } from '../kernel/support/lab.js';
import { Program, parseEvents, startTrace } from '../process/support/program.js';
import { Prometheus } from '../support/prometheus.js';
import { CAPABILITIES_OF_IMAGE, Image } from './support/image.js';

const TOKEN = 'a token that only those who may ask know'.replaceAll(' ', '-');
const PORT = 14100;
/** Packets of each pod to the port of EXPRESSION, when everybody looks. */
const SENT = { 'mssql-0': 40, 'web-0': 25 };
const TOTAL = SENT['mssql-0'] + SENT['web-0'];
/** The incident goes on all the time, with packets to another port: so what is compared is bounded. */
const EXPRESSION = ['udp', 'and', 'dst', 'port', '9'];

describe('a sidecar that is started when the incident is under way', () => {
  const lab = useLab();
  let containerd: Containerd;
  let victim: RealPod;
  let neighbour: RealPod;
  let image: Image;
  let sidecar: string;
  let url: string;

  beforeAll(async () => {
    image = Image.build();
    containerd = await Containerd.start({ netns: lab.path('node'), network: 'lxc' });
    await containerd.import(image.archive);
    victim = await containerd.runPod({ namespace: 'qfusion-admin', name: 'mssql-0', hostPid: true });
    neighbour = await containerd.runPod({ namespace: 'qfusion-admin', name: 'web-0' });
    await connectToSecondPod(victim);
    await victim.runContainer('mssql', ['udp', ADDRESS.world, '53', '20']);
    const { in: place, run: script } = rpFilter(1);
    await lab.inside(place, script);
    await vi.waitFor(async () => expect(await refused()).toBeGreaterThan(2), PATIENCE);

    const token = join(containerd.folder, 'token');
    writeFileSync(token, TOKEN, { mode: 0o600 });
    sidecar = await victim.runImage('rpftrace', {
      image: image.name,
      args: [
        ...['serve', '--listen', 'unix:/run/rpftrace/rpftrace.sock', '--listen', `:${PORT}`],
        ...['--token-file', '/etc/rpftrace/token', ...chosen(), ...EXPRESSION],
      ],
      mounts: [
        { hostPath: token, containerPath: '/etc/rpftrace/token' },
        { hostPath: containerd.socket, containerPath: '/run/containerd/containerd.sock' },
        {
          ...{ hostPath: '/run/netns', containerPath: '/run/netns', readonly: true },
          propagation: 'PROPAGATION_HOST_TO_CONTAINER',
        },
        { hostPath: '/sys/fs/cgroup', containerPath: '/sys/fs/cgroup', readonly: true },
      ],
      security: {
        capabilities: { addCapabilities: CAPABILITIES_OF_IMAGE, dropCapabilities: ['ALL'] },
        readonlyRootfs: true,
      },
    });
    url = `http://${victim.ip}:${PORT}`;
  });
  afterAll(() => containerd?.stop());

  it('tells who attaches from another pod, and Prometheus, what a tracer on the host tells', async () => {
    const options = ['-o', 'ndjson', '--cri-socket', containerd.socket];
    const host = await startTrace([...options, ...chosen(), ...EXPRESSION]);
    let reader: Program | undefined;
    let prometheus: Prometheus | undefined;
    try {
      await sidecarIsReady();
      reader = attach('--since', '1h');
      prometheus = await Prometheus.start(`${victim.ip}:${PORT}`, { token: TOKEN, netns: lab.path('pod2') });
      await neighbour.sendUdp(ADDRESS.world, { count: SENT['web-0'] });
      await victim.sendUdp(ADDRESS.world, { count: SENT['mssql-0'] });
      await host.until(({ events }) => incidentOf(events)?.drops === TOTAL);
      await reader.until(({ events }) => incidentOf(events)?.drops === TOTAL);

      const sentence = sentenceOf(incidentOf(host.events)?.summary);
      expect(sentence).toContain(`lost ${TOTAL} packets`);
      expect(sentence).toContain('qfusion-admin/mssql-0');
      expect(sentenceOf(incidentOf(reader.events)?.summary)).toBe(sentence);
      expect(countsOf(reader.events)).toEqual(SENT);
      expect(countsOf(host.events)).toEqual(SENT);

      await prometheus.until('rpftrace_incident_drops_total', ([first]) => first?.value === TOTAL);
      const [info] = await prometheus.query('rpftrace_incident_info');
      expect(sentenceOf(info?.metric.summary)).toBe(sentence);
      const samples = await prometheus.query('sum by (namespace, pod, device) (rpftrace_drops_total)');
      expect(samples.map(({ metric, value }) => ({ ...metric, value }))).toEqual(
        expect.arrayContaining(
          [victim, neighbour].map(({ spec, hostDevices }) => ({
            ...{ namespace: spec.namespace, pod: spec.name, device: hostDevices[0] },
            value: SENT[spec.name as keyof typeof SENT],
          })),
        ),
      );
    } finally {
      await prometheus?.stop();
      await reader?.stop();
      await host.stop();
    }
  });

  it('names the drop of a neighbour in full', async () => {
    const { code, stdout } = await attach('--since', '1h', '--no-follow').ended;
    expect(code).toBe(0);
    const events = parseEvents(stdout);
    expect(dropsOf(events).find(({ pod }) => pod?.name === 'web-0')).toMatchObject({
      reason: 'IP_RPFILTER',
      device: { name: neighbour.hostDevices[0], role: 'cilium_lxc', peer_netns: neighbour.netns },
      packet: { src: neighbour.ip, dst: ADDRESS.world },
      pod: { namespace: 'qfusion-admin', name: 'web-0', direction: 'from_pod' },
      rpf: {
        verdict: 'unnumbered_mismatch',
        reverse_route: { device: 'cilium_host', prefix: '10.244.3.0/24' },
        fix: expect.arrayContaining([expect.stringContaining('net.ipv4.conf.all.rp_filter=0')]),
      },
    });
  });

  it('is started by a command as well, as kubectl debug does it on a node', async () => {
    const spec = { hostNetwork: true, hostPid: true, privileged: true };
    await using pod = await containerd.runPod({ namespace: 'default', name: 'node-debugger', ...spec });
    await pod.runImage('debugger', {
      image: image.name,
      command: ['rpftrace', 'trace', '-o', 'ndjson', ...chosen()],
      security: { privileged: true },
    });
    const printed = () => pod.logOf('debugger', 'stdout');
    await vi.waitFor(async () => expect(await printed()).toContain('"kind":"drop"'), PATIENCE);
    const events = parseEvents(await printed());
    expect(dropsOf(events)[0]).toMatchObject({
      ...{ reason: 'IP_RPFILTER', device: { name: victim.hostDevices[0] } },
      packet: { src: victim.ip, dst: ADDRESS.world, dst_port: 53 },
    });
  });

  it('tells nobody anything without the token', async () => {
    expect(await statusOf('/v1/incidents')).toBe('401');
  });

  it('is well as long as it answers', async () => {
    const health = () => containerd.exec(sidecar, '/usr/bin/node', '/rpftrace/healthy.mjs');
    expect(await health()).toMatchObject({ code: 0 });
    await containerd.signal(sidecar, 'SIGSTOP');
    expect(await health()).toMatchObject({ code: 1, stderr: expect.stringContaining('no answer') });
    await containerd.signal(sidecar, 'SIGCONT');
    expect(await health()).toMatchObject({ code: 0 });
  });

  /** What the CNI plugin of the tests leaves out: pods reach each other without the node's routing. */
  async function connectToSecondPod({ ip, hostDevices: [device] }: RealPod): Promise<void> {
    const redirect = (from: string, to: string, by: string) =>
      `tc filter add dev ${from} ingress protocol ip pref 3 u32 match ip dst ${to}/32 action mirred egress redirect dev ${by}`;
    await lab.inside(
      'node',
      [
        `tc qdisc add dev ${device} ingress`,
        redirect(device as string, ADDRESS.pod2, 'lxcabce'),
        redirect('lxcabce', ip, device as string),
      ].join('\n'),
    );
  }

  async function refused(): Promise<number> {
    return Number(
      /IPReversePathFilter\s+(\d+)/.exec(
        await lab.inside('node', 'nstat -asz TcpExtIPReversePathFilter'),
      )?.[1],
    );
  }

  /** The same for both. */
  function chosen(): string[] {
    return ['--netns', String(lab.inode('node')), '--node', 'node-1', '--no-cilium', '--no-kubernetes'];
  }

  async function sidecarIsReady(): Promise<void> {
    try {
      await vi.waitFor(async () => expect(await statusOf('/readyz')).toBe('200'), PATIENCE);
    } catch (error) {
      throw new Error(`the sidecar is not ready: ${await victim.logOf('rpftrace', 'stderr')}`, {
        cause: error,
      });
    }
  }

  /** As a person does it who is in another pod. */
  function attach(...options: string[]): Program {
    const env = { RPFTRACE_TOKEN: TOKEN };
    return new Program(['attach', url, '-o', 'ndjson', ...options], { under: inSecondPod(), env });
  }

  async function statusOf(path: string): Promise<string> {
    const [command = '', ...words] = inSecondPod();
    return (await attempt(command, [...words, process.execPath, '-e', STATUS, url + path])).stdout;
  }

  function inSecondPod(): string[] {
    return ['nsenter', `--net=${lab.path('pod2')}`];
  }
});

const PATIENCE = { timeout: 20_000, interval: 200 };

const STATUS = `require('node:http').get(process.argv[1], ({ statusCode }) => {
  process.stdout.write(String(statusCode));
  process.exit();
});`;

/** The newest that was told. */
function incidentOf(events: readonly TraceEvent[]): IncidentEvent | undefined {
  return events.findLast((event) => event.kind === 'incident');
}

/** Without the second from which on the one that tells it has looked, which is its own. */
function sentenceOf(summary: string | undefined): string | undefined {
  return summary?.replace(/was 1 already before \d\d:\d\d:\d\d, /, 'was 1 already, ');
}

function countsOf(events: readonly TraceEvent[]): Record<string, number> {
  const drops = dropsOf(events);
  const names = [...new Set(drops.map(({ pod }) => pod?.name ?? 'nobody'))];
  return Object.fromEntries(
    names.map((name) => [name, count(drops, ({ pod }) => (pod?.name ?? 'nobody') === name)]),
  );
}
