import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import { CHART } from '../../scripts/lib/chart.mjs';
import type { IncidentEvent, TraceEvent } from '../../src/events.js';
import { ADDRESS } from '../../src/lab/topology.js';
import { PAUSE_IMAGE } from '../kernel/support/containerd/settings.js';
import type { PodOnNode } from '../kernel/support/containerd.js';
import { count, dropsOf, useLab } from '../kernel/support/lab.js';
import { type Program, parseEvents, startAttached } from '../process/support/program.js';
import { read } from '../support/chart.js';
import { mounts } from '../support/mounts.js';
import { documentedLine } from './support/documented.js';
import { Image } from './support/image.js';
import { Cluster } from './support/kubernetes/cluster.js';
import { NODE, SERVICE_ADDRESS } from './support/kubernetes/papers.js';

/** One after the other: each goes on where the one before has left the cluster. */
describe('a Kubernetes with the chart installed', () => {
  const lab = useLab();
  let cluster: Cluster;
  let chart: string;
  let victim: PodOnNode;
  let everybody: Program;
  /** All that were attached, for those that a failing test leaves. */
  const attached: Program[] = [];
  /** Packets of the victim that the node has refused. */
  let refused = 0;

  beforeEach(({ skip }) => skip(LACK !== undefined, LACK));
  beforeAll(async () => {
    if (LACK !== undefined) return;
    cluster = await Cluster.start(lab, [Image.build().archive]);
    await cluster.kubectl('create', 'namespace', 'rpftrace');
    await cluster.kubectl('create', 'namespace', 'shop');
    await cluster.apply(WORKLOAD);
    chart = chartForOld(cluster.folder);
    await cluster.helm(
      ...['install', 'rpftrace', chart, '--namespace', 'rpftrace'],
      ...['--set', 'kubernetes.events=true', '--set', 'config.capture.labels=true'],
    );
    await ready('shop', 'deployment/web');
    victim = await cluster.podOnNode('shop', (await podNames('shop'))[0] as string);
  });
  afterAll(async () => {
    await Promise.all(attached.map((program) => program.stop()));
    await cluster?.stop();
  });

  it('the kubelet runs the agent as the chart wants it, and finds it ready', async () => {
    await ready('rpftrace', 'daemonset/rpftrace');
    const [agent] = (await cluster.get('pods', '-n', 'rpftrace')).items;
    expect(agent.spec).toMatchObject({ hostNetwork: true, hostPID: true, nodeName: NODE });
    expect(agent.status.containerStatuses).toEqual([
      expect.objectContaining({ ready: true, restartCount: 0 }),
    ]);
  });

  it('the API server gives the agent all that the chart says it may ask for, but for what this old one has not', async () => {
    await vi.waitFor(async () => {
      const { sources, start } = await status();
      expect(sourceNamed(sources, 'kubernetes')).toMatchObject({ state: 'ok', pods: 2 });
      expect(sourceNamed(sources, 'kubernetes').why).toMatch(
        /^endpointslices: the server has no such thing \(404\)[^;]*$/,
      );
      expect(sourceNamed(sources, 'cri')).toMatchObject({ state: 'ok' });
      expect(start.degraded.filter(({ missing }: { missing?: string }) => missing !== undefined)).toEqual([]);
    }, PATIENCE);
  });

  it('attach gets to the agent with no more than docs/cluster.md asks for, and names the pod of each drop', async () => {
    await cluster.apply(...permissionsOf('reader'));
    const kubeconfig = cluster.kubeconfig('reader');
    const [agent] = await podNames('rpftrace');
    const one = await attach(kubeconfig, `k8s:rpftrace/${agent}`);
    everybody = await attach(kubeconfig, '--all-nodes');
    await lab.inside('node', 'sysctl -w net.ipv4.conf.all.rp_filter=1');
    await refuse(30);
    await refuse(1, SERVICE_ADDRESS);
    for (const reader of [one, everybody]) {
      await reader.until(({ events }) => toldOf(events) === refused);
      expect(dropsOf(reader.events).find(({ pod }) => pod?.name === victim.spec.name)).toMatchObject({
        ...{ node: NODE, reason: 'IP_RPFILTER' },
        device: { name: victim.hostDevices[0] },
        pod: { namespace: 'shop', labels: { app: 'web' }, workload: { kind: 'Deployment', name: 'web' } },
      });
    }
    expect(dropsOf(one.events).find(({ packet }) => packet?.dst === SERVICE_ADDRESS)?.peer).toMatchObject({
      ...{ kind: 'service', namespace: 'default', name: 'kubernetes' },
    });
    expect((await one.stop()).code).toBe(0);
  });

  it('kubectl describe tells the pod’s owner who has changed what', async () => {
    await everybody.until(({ events }) => incidentOf(events)?.summary.includes('sysctl') === true);
    await vi.waitFor(async () => {
      const told = await cluster.kubectl('describe', 'pod', '-n', 'shop', victim.spec.name);
      expect(told).toMatch(/Warning +SettingDropsPackets .* rpftrace/);
    }, PATIENCE);
    const { items } = await cluster.get(
      'events',
      '-n',
      'shop',
      '--field-selector',
      'reason=SettingDropsPackets',
    );
    const sentences = everybody.events.flatMap((event) => (event.kind === 'incident' ? [event.summary] : []));
    expect(items).toHaveLength(1);
    expect(sentences).toContain(items[0].message);
  });

  it('attach goes on with the agent that takes the place of another', async () => {
    const [before] = await podNames('rpftrace');
    await cluster.kubectl('delete', 'pod', '-n', 'rpftrace', before as string);
    await ready('rpftrace', 'daemonset/rpftrace');
    await refuse(20);
    await everybody.until(({ events }) => toldOf(events) === refused);
    expect(await podNames('rpftrace')).not.toContain(before);
  });

  it('agent and attach find their way back to an API server that was away, and tell nothing twice', async () => {
    await cluster.killApiServer();
    await refuse(15);
    await cluster.startApiServer();
    await everybody.until(({ events }) => toldOf(events) === refused);
    await vi.waitFor(async () => {
      const { sources } = await status();
      expect(sourceNamed(sources, 'kubernetes')).toMatchObject({ state: 'ok', pods: 2 });
    }, PATIENCE);
    await refuse(5);
    await everybody.until(({ events }) => toldOf(events) === refused);
    const ids = everybody.events.map(({ event_id }) => event_id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('attach says what is missing: a right, a pod, a node for it, somebody who listens', async () => {
    const admin = cluster.kubeconfig('admin', 'system:masters');
    const stranger = cluster.kubeconfig('stranger');
    const refusalOf = async (place: string, kubeconfig = admin) => {
      const { code, stderr } = await cluster.line(`rpftrace attach ${place} --kubeconfig ${kubeconfig}`);
      expect(code).toBe(1);
      return stderr.split('\n')[0];
    };
    await cluster.apply(HOMELESS);
    const [agent] = await podNames('rpftrace');
    expect(await refusalOf(`k8s:rpftrace/${agent}`, stranger)).toContain(
      'not allowed (403): grant get and create of pods/portforward in namespace rpftrace [E_DENIED]',
    );
    expect(await refusalOf('--all-nodes', stranger)).toContain(
      'not allowed (403): grant list and watch of pods in namespace rpftrace [E_DENIED]',
    );
    expect(await refusalOf('k8s:shop/nobody')).toContain(
      'there is no pod nobody in namespace shop [E_NO_SERVER]',
    );
    expect(await refusalOf('k8s:shop/homeless')).toContain(
      'the pod does not run: it is Pending [E_UNREACHABLE]',
    );
    expect(await refusalOf(`k8s:shop/${victim.spec.name}`)).toContain('nobody listens there [E_UNREACHABLE]');
  });

  it('kubectl exec runs the doctor by the line of docs/kubernetes.md, which names the pods that lose packets', async () => {
    const { stdout } = await cluster.line(documentedLine(DOCUMENT, 'kubectl -n rpftrace exec'));
    expect(stdout).toContain(`shop/${victim.spec.name}`);
  });

  it('kubectl debug has one look at a node', async () => {
    const { stdout, stderr } = await cluster.line(`${forHere('kubectl debug node/NODE')} -o ndjson`);
    const [pod] = /node-debugger-\S+/.exec(stdout + stderr) ?? [];
    if (pod === undefined) throw new Error(`kubectl debug made no pod: ${stdout}${stderr}`);
    // What it says to people stands there, too.
    const told = async () => parseEvents((await cluster.line(`kubectl logs ${pod} | grep ^{`)).stdout);
    await vi.waitFor(async () => expect((await told()).length).toBeGreaterThan(0), PATIENCE);
    await refuse(7);
    await vi.waitFor(async () => expect(toldOf(await told())).toBe(7), PATIENCE);
    await cluster.kubectl('delete', 'pod', pod, '--wait=false');
  });

  it('a sidecar tells the drops of its own pod, and needs no right in the cluster', async () => {
    await cluster.kubectl('apply', '-f', 'deploy/kubernetes/sidecar.yaml');
    await cluster.kubectl('wait', '--for=condition=Ready', 'pod/shop', '--timeout', '60s');
    const shop = await cluster.podOnNode('default', 'shop');
    const kubeconfig = cluster.kubeconfig('admin', 'system:masters');
    // It has no probe that would say when it listens.
    const reader = await vi.waitFor(() => attach(kubeconfig, 'k8s:default/shop'), PATIENCE);
    await refuse(3);
    await shop.sendUdp(ADDRESS.world, { count: 11 });
    // The kernel may drop the end of a connection to the sidecar, too: that is no packet of the workload.
    const sent = (events: readonly TraceEvent[]) =>
      count(dropsOf(events), ({ packet }) => packet?.src === shop.ip);
    await reader.until(({ events }) => sent(events) === 11);
    const { stdout } = await reader.stop();
    expect(sent(parseEvents(stdout))).toBe(11);
    expect(toldOf(parseEvents(stdout))).toBe(0);
  });

  it('in a network of its own it tells the same, to who brings the token', async () => {
    await everybody.stop();
    await lab.inside('node', 'sysctl -w net.ipv4.conf.all.rp_filter=0');
    const values = ['--set', 'hostNetwork=false', '--set', `token.value=${TOKEN}`];
    await cluster.helm('upgrade', 'rpftrace', chart, '--namespace', 'rpftrace', '--reuse-values', ...values);
    await ready('rpftrace', 'daemonset/rpftrace');
    const kubeconfig = cluster.kubeconfig('reader');
    const { code, stderr } = await cluster.line(`rpftrace attach --all-nodes --kubeconfig ${kubeconfig}`);
    expect([code, stderr]).toEqual([1, expect.stringContaining('[E_DENIED]')]);

    const reader = await attach(kubeconfig, '--all-nodes', { RPFTRACE_TOKEN: TOKEN });
    await lab.inside('node', 'sysctl -w net.ipv4.conf.all.rp_filter=1');
    await refuse(9);
    await reader.until(({ events }) => toldOf(events) === 9);
    await reader.stop();
  });

  it('helm uninstall takes it away', async () => {
    await cluster.helm('uninstall', 'rpftrace', '--namespace', 'rpftrace');
    await vi.waitFor(async () => expect(await podNames('rpftrace')).toEqual([]), PATIENCE);
    const left = await cluster.kubectl(
      'get',
      'clusterroles,clusterrolebindings',
      '-l',
      'app.kubernetes.io/name=rpftrace',
    );
    expect(left).toBe('');
  });

  async function refuse(packets: number, to: string = ADDRESS.world): Promise<void> {
    await victim.sendUdp(to, { count: packets });
    refused += packets;
  }

  function toldOf(events: readonly TraceEvent[]): number {
    return count(dropsOf(events), ({ pod }) => pod?.uid === victim.spec.uid);
  }

  async function ready(namespace: string, what: string): Promise<void> {
    const { code } = await cluster.line(`kubectl rollout status ${what} -n ${namespace} --timeout 90s`);
    if (code === 0) return;
    throw new Error(`${what} is not ready: ${await cluster.kubectl('describe', 'pods', '-n', namespace)}`);
  }

  async function podNames(namespace: string): Promise<string[]> {
    const { items } = await cluster.get('pods', '-n', namespace);
    return items.map(({ metadata }: { metadata: { name: string } }) => metadata.name);
  }

  /** As somebody who is elsewhere. */
  async function attach(kubeconfig: string, place: string, env: NodeJS.ProcessEnv = {}): Promise<Program> {
    const under = ['nsenter', `--net=${lab.path('world')}`];
    const words = [place, '-o', 'ndjson', '--kubeconfig', kubeconfig];
    const program = await startAttached('attach', words, { under, env });
    attached.push(program);
    return program;
  }

  /** Asked from inside of the agent's container. */
  // biome-ignore lint/suspicious/noExplicitAny: docs/serve.md
  async function status(): Promise<any> {
    const ask = `fetch('http://127.0.0.1:14100/v1/status').then(async (r) => console.log(await r.text()))`;
    const command = ['/usr/bin/node', '-e', ask];
    return JSON.parse(await cluster.kubectl('exec', '-n', 'rpftrace', 'ds/rpftrace', '--', ...command));
  }
});

/** A line of the document without a terminal, with the names that these things have here. */
function forHere(words: string): string {
  return documentedLine(DOCUMENT, words)
    .replace(' -it', '')
    .replace('registry.example/', '')
    .replace('/NODE', `/${NODE}`);
}

/** Why there can be none here. */
const LACK = lackOf();
const TOKEN = 'a-token-that-only-those-who-may-ask-know';
const DOCUMENT = 'docs/kubernetes.md';
const PATIENCE = { timeout: 60_000, interval: 500 };

const WORKLOAD = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'shop' },
  spec: {
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: { containers: [{ name: 'web', image: PAUSE_IMAGE }] },
    },
  },
};

/** Of a node that there is not. */
const HOMELESS = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'homeless', namespace: 'shop', labels: { app: 'homeless' } },
  spec: {
    nodeSelector: { 'kubernetes.io/hostname': 'nowhere' },
    containers: [{ name: 'web', image: PAUSE_IMAGE }],
  },
};

function lackOf(): string | undefined {
  if (process.arch !== 'x64') return 'Kubernetes is compiled for x64 only';
  const hasVersion1 = mounts().some(({ type }) => type === 'cgroup');
  return hasVersion1
    ? undefined
    : 'no cgroups of version 1: with those of version 2 Kubernetes 1.20 was not tried';
}

/** The chart, which wants a newer Kubernetes than the one here, and says so. */
function chartForOld(folder: string): string {
  const chart = join(folder, 'chart');
  cpSync(CHART, chart, { recursive: true });
  const about = join(chart, 'Chart.yaml');
  writeFileSync(about, readFileSync(about, 'utf8').replace(/^kubeVersion: .*/m, ''));
  return chart;
}

/** The rules in docs/cluster.md, for a user. */
function permissionsOf(user: string): object[] {
  const [, rules = ''] = /```yaml\n(.*?)```/s.exec(read('docs/cluster.md')) ?? [];
  const metadata = { name: user, namespace: 'rpftrace' };
  const apiGroup = 'rbac.authorization.k8s.io';
  return [
    { apiVersion: `${apiGroup}/v1`, kind: 'Role', metadata, rules: parse(rules) },
    {
      ...{ apiVersion: `${apiGroup}/v1`, kind: 'RoleBinding', metadata },
      roleRef: { apiGroup, kind: 'Role', name: user },
      subjects: [{ apiGroup, kind: 'User', name: user }],
    },
  ];
}

// biome-ignore lint/suspicious/noExplicitAny: docs/serve.md
function sourceNamed(sources: readonly any[], name: string): any {
  return sources.find((source) => source.name === name);
}

function incidentOf(events: readonly TraceEvent[]): IncidentEvent | undefined {
  return events.findLast((event) => event.kind === 'incident');
}
