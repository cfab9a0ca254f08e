import { join } from 'node:path';
import { afterAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { fetchKubernetesTools } from '../../scripts/lib/kubernetes-tools.mjs';
import { event } from '../../src/events.js';
import { type KubeApi, PODS, PORT_FORWARD } from '../support/kube-api.js';
import { kubeconfigOf, pod, startApi, TOKEN } from '../support/kubernetes.js';
import { DropSource } from './support/drops.js';
import {
  emitted,
  type Program,
  parseEvents,
  root,
  rpftrace,
  startAttached,
  startOf,
} from './support/program.js';
import { numbersOf, type Served, startServe } from './support/serve.js';

const source = new DropSource();

vi.setConfig({ testTimeout: 60_000 });
afterAll(() => source.remove());

describe('rpftrace attach k8s:NAMESPACE/POD', () => {
  test('tells what the server in the pod tells, by the user’s kubeconfig', async () => {
    const api = await cluster();
    const { serve } = await agent(api, 'node-1');
    const attached = await attach(api, ['k8s:rpftrace/rpftrace-node-1', '-o', 'ndjson', '--since', '1h']);
    const local = await serve.follow('/v1/events?since=1h');
    await source.drop(500, { flows: 10 });
    await attached.until(({ events }) => emitted(events) === 500);
    const { code, stdout, stderr } = await attached.stop();
    await local.until(({ events }) => emitted(events) === 500);

    expect(code).toBe(0);
    expect(stderr).toContain('rpftrace: attached to k8s:rpftrace/rpftrace-node-1:14100');
    const told = stdout.trimEnd().split('\n');
    expect(told).toEqual(local.text.split('\n').slice(0, told.length));
    for (const one of parseEvents(stdout)) event.parse(one);
  });

  test('comes back when the way breaks, without a gap and without one twice', async () => {
    const api = await cluster();
    await agent(api, 'node-1');
    const attached = await attach(api, ['k8s:rpftrace/rpftrace-node-1', '-o', 'ndjson', '--since', '1h']);
    await source.drop(100, { flows: 5 });
    await attached.until(({ events }) => emitted(events) === 100);
    api.forwards.cut();
    await source.drop(100, { flows: 5 });
    await attached.until(({ events }) => emitted(events) === 200);
    const { stdout, stderr } = await attached.stop();
    const numbers = numbersOf(parseEvents(stdout));
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
    expect(stderr).toContain('again: nothing is missing');
  });

  test('says what is missing: a right, a pod, a server in it', async () => {
    const api = await cluster();
    const ask = (...words: string[]) =>
      rpftrace(['attach', '--kubeconfig', kubeconfigOf(api), ...words, '-o', 'ndjson']);
    const gone = await ask('k8s:rpftrace/rpftrace-node-1');
    expect(gone).toMatchObject({ code: 1, stdout: '' });
    expect(gone.stderr).toContain('there is no pod rpftrace-node-1 in namespace rpftrace [E_NO_SERVER]');

    api.put(PODS, agentPod('node-1'));
    expect((await ask('k8s:rpftrace/rpftrace-node-1')).stderr).toContain(
      'k8s:rpftrace/rpftrace-node-1:14100: nobody listens there [E_UNREACHABLE]',
    );

    api.forbidden.add(PORT_FORWARD);
    expect((await ask('k8s:rpftrace/rpftrace-node-1')).stderr).toContain(
      'not allowed (403): grant get and create of pods/portforward in namespace rpftrace [E_DENIED]',
    );
  });
});

describe('rpftrace attach --all-nodes', () => {
  test('gives the events of all agents, in the order of their times, each with its node', async () => {
    const api = await cluster();
    const agents = [await agent(api, 'node-1'), await agent(api, 'node-2')];
    api.put(PODS, pod('elsewhere', '10.0.0.9', { labels: { app: 'web' } }));
    const attached = await attach(api, ['--all-nodes', '--since', '1h', '-o', 'ndjson']);
    await source.drop(300, { flows: 10 });
    await attached.until(({ events }) => emitted(events) === 600);
    const { code, stdout, stderr } = await attached.stop();

    expect(code).toBe(0);
    expect(stderr).toContain('rpftrace: attached to 2 of 2 nodes');
    expect(stderr).toMatch(/rpftrace: \d+ events of 2 nodes\n$/);
    const times = parseEvents(stdout).map(({ time }) => time);
    expect(times).toEqual([...times].sort());
    for (const { node } of agents) {
      const own = parseEvents(stdout).filter((one) => one.node === node);
      expect(emitted(own)).toBe(300);
      expect(numbersOf(own).sort((a, b) => a - b)).toEqual(own.map((_, index) => index + 1));
    }
  });

  test('follows nodes that come, tells which are silent and why, and forgets those that go', async () => {
    const api = await cluster();
    const first = await agent(api, 'node-1');
    const attached = await attach(api, ['--all-nodes', '-o', 'ndjson']);
    await agent(api, 'node-2');
    await expect.poll(() => api.forwards.open.size, WAIT).toBe(2);
    await source.drop(10);
    await attached.until(({ events }) => emitted(events) === 20);

    await first.serve.program.stop('SIGTERM');
    await attached.until(({ stderr }) => /rpftrace: node-1 \(k8s:.*\) is silent: /.test(stderr));
    api.remove(PODS, 'rpftrace-node-1', 'rpftrace');
    await source.drop(10);
    await attached.until(({ events }) => emitted(events) === 30);
    await expect.poll(() => api.forwards.open.size, WAIT).toBe(1);
    const { stderr } = await attached.stop();
    expect(stderr).toMatch(/events of 1 nodes, 1 left meanwhile\n$/);
  });

  test('says who is silent at the end', async () => {
    const api = await cluster();
    await agent(api, 'node-1');
    api.put(PODS, agentPod('node-2'));
    const attached = await attach(api, ['--all-nodes', '-o', 'ndjson']);
    await attached.until(({ stderr }) => /node-2 \(k8s:.*\) is silent: nobody listens there/.test(stderr));
    const { stderr } = await attached.stop();
    expect(stderr).toContain('attached to 1 of 2 nodes');
    expect(stderr).toMatch(
      /silent at the end: 1\n {4}node-2 \(k8s:rpftrace\/rpftrace-node-2:14100\) since .*Z: /,
    );
  });

  test('outlives an API server that is away: what is connected goes on', async () => {
    const api = await cluster();
    await agent(api, 'node-1');
    const attached = await attach(api, ['--all-nodes', '-o', 'ndjson']);
    api.faults.push((_, response) => {
      response.destroy();
      return true;
    });
    api.endWatches();
    await attached.until(({ stderr }) => stderr.includes('agents that come and go are not seen: '));
    await source.drop(10);
    await attached.until(({ events }) => emitted(events) === 10);
    api.faults.length = 0;
    await attached.until(({ stderr }) => stderr.includes('agents that come and go are seen again'));
    await attached.stop();
  });

  test('finds agents by namespace and labels, and says when there are none', async () => {
    const api = await cluster();
    const ask = (...words: string[]) =>
      rpftrace(['attach', '--all-nodes', '--kubeconfig', kubeconfigOf(api), ...words]);
    const none = await ask('--agents-namespace', 'tools', '--agents-selector', 'app=x');
    expect(none.code).toBe(1);
    expect(none.stderr).toContain('there are no pods with app=x in namespace tools [E_NO_SERVER]');
    api.forbidden.add(PODS);
    expect((await ask()).stderr).toContain('grant list and watch of pods in namespace rpftrace [E_DENIED]');
    const both = await rpftrace(['attach', '--all-nodes', 'http://127.0.0.1:1']);
    expect(both.stderr).toContain('--all-nodes finds its places itself: name none [E_USAGE]');
  });
});

test('several places become one stream', async () => {
  const api = await cluster();
  const one = await agent(api, 'node-1');
  const two = await agent(api, 'node-2');
  const attached = await startAttached('attach', [
    ...[`http://127.0.0.1:${one.port}`, two.serve.socket, '-o', 'ndjson'],
  ]);
  onTestFinished(() => attached.kill('SIGKILL'));
  await source.drop(10);
  await attached.until(({ events }) => emitted(events) === 20);
  const { stdout, stderr } = await attached.stop();
  expect(stderr).toContain('attached to 2 of 2 servers');
  expect(new Set(parseEvents(stdout).map(({ node }) => node))).toEqual(new Set(['node-1', 'node-2']));
});

describe('kubectl rpftrace', () => {
  const plugin = join(root, 'bin', 'kubectl-rpftrace');

  test('follows a pod in the namespace of the context', async () => {
    const api = await cluster();
    await agent(api, 'node-1');
    const config = kubeconfigOf(api, 'rpftrace');
    const words = ['rpftrace-node-1', '-o', 'ndjson', '--count', '1', '--since', '1h'];
    const running = rpftrace(words, { program: plugin, env: { KUBECONFIG: config } });
    await source.drop(10);
    const { code, stdout } = await running;
    expect(code).toBe(0);
    expect(parseEvents(stdout).map(({ kind }) => kind)).toContain('drop');
  });

  test('is found by kubectl, which hands over what was written', async () => {
    const { kubectl } = await fetchKubernetesTools();
    const api = await cluster();
    await agent(api, 'node-1');
    const env = { PATH: `${join(root, 'bin')}:${process.env.PATH}`, KUBECONFIG: kubeconfigOf(api) };
    const words = [
      'rpftrace',
      '--all-nodes',
      '-n',
      'rpftrace',
      '--no-follow',
      '--since',
      '1h',
      '-o',
      'ndjson',
    ];
    const { code, stdout, stderr } = await rpftrace(words, { program: kubectl, env });
    expect([code, stderr]).toEqual([0, expect.stringContaining('attached to 1 of 1 nodes')]);
    expect(startOf(parseEvents(stdout))).toMatchObject({ kind: 'start', node: 'node-1' });
  });
});

const WAIT = { timeout: 20_000 };

interface Agent {
  readonly node: string;
  readonly serve: Served;
  readonly port: number;
}

async function cluster(): Promise<KubeApi> {
  const api = await startApi();
  api.token = TOKEN;
  return api;
}

/** A `rpftrace serve` on this machine, in what the API server says is a pod of a node. */
async function agent(api: KubeApi, node: string): Promise<Agent> {
  const serve = await startServe(['--netns', source.path, '--listen', '127.0.0.1:0', '--node', node]);
  const url = /listening on http:\/\/127\.0\.0\.1:(\d+)/;
  await serve.program.until(({ stderr }) => url.test(stderr));
  const port = Number(url.exec(serve.program.stderr)?.[1]);
  api.forwards.targets.set(`rpftrace/rpftrace-${node}:14100`, { host: '127.0.0.1', port });
  api.put(PODS, agentPod(node));
  return { node, serve, port };
}

function agentPod(node: string) {
  return {
    metadata: {
      name: `rpftrace-${node}`,
      namespace: 'rpftrace',
      labels: { 'app.kubernetes.io/name': 'rpftrace' },
    },
    spec: { nodeName: node },
    status: { phase: 'Running' },
  };
}

async function attach(api: KubeApi, words: readonly string[]): Promise<Program> {
  const attached = await startAttached('attach', ['--kubeconfig', kubeconfigOf(api), ...words]);
  onTestFinished(() => attached.kill('SIGKILL'));
  return attached;
}
