import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished, vi } from 'vitest';
import type {
  NodeSighting,
  Observer,
  PeerSighting,
  PodSighting,
  SourceState,
} from '../../src/attribute/source.js';
import type { Surroundings } from '../../src/attribute/sources/kubernetes/credentials.js';
import { KubernetesSource } from '../../src/attribute/sources/kubernetes/source.js';
import { TIMING, type Timing } from '../../src/attribute/sources/kubernetes/timing.js';
import type { KubernetesOptions } from '../../src/attribute/sources/kubernetes-options.js';
import { temporaryDirectory } from '../fixtures/directory.js';
import { type Authority, makeAuthority } from './certificates.js';
import { KubeApi, type KubeObject, NODES, PODS } from './kube-api.js';

export const NODE = 'node-1';
export const TOKEN = 'secret-token-1';

// A machine that is busy with other tests needs its time for a TLS handshake.
vi.setConfig({ testTimeout: 30_000 });

/** Failures are waited for as long as it takes to see them, no longer. */
export const FAST: Timing = {
  ...TIMING,
  answerMs: 1000,
  idleMs: 300,
  pauseMs: 10,
  maxPauseMs: 50,
  refusedPauseMs: 50,
  headStartMs: 100,
};

/** Keeps what a source tells, as attribution would. */
export class Recorder implements Observer {
  readonly pods = new Map<string, PodSighting>();
  readonly peers = new Map<string, PeerSighting>();
  /** What was told, in order: "pod db", "podGone uid-1", "synced". */
  readonly told: string[] = [];
  nodes: NodeSighting[] = [];

  pod(sighting: PodSighting): void {
    this.pods.set(sighting.key, sighting);
    this.told.push(`pod ${sighting.name}`);
  }

  podGone(key: string): void {
    this.pods.delete(key);
    this.told.push(`podGone ${key}`);
  }

  peer(sighting: PeerSighting): void {
    this.peers.set(sighting.key, sighting);
  }

  peerGone(key: string): void {
    this.peers.delete(key);
    this.told.push(`peerGone ${key}`);
  }

  node(sighting: NodeSighting): void {
    this.nodes.push(sighting);
  }

  synced(pods: ReadonlySet<string>, peers: ReadonlySet<string>): void {
    for (const key of this.pods.keys()) if (!pods.has(key)) this.pods.delete(key);
    for (const key of this.peers.keys()) if (!peers.has(key)) this.peers.delete(key);
    this.told.push('synced');
  }

  get podNames(): string[] {
    return [...this.pods.values()].map(({ name }) => name ?? '').sort();
  }
}

let authority: Authority | undefined;

export function theAuthority(): Authority {
  authority ??= makeAuthority();
  return authority;
}

/** A server with this node in it; gone when the test is. */
export async function startApi(): Promise<KubeApi> {
  const { server, ca } = theAuthority();
  const api = await KubeApi.start(server, ca);
  onTestFinished(() => api.stop());
  api.put(NODES, { metadata: { name: NODE } });
  return api;
}

/** The path of a kubeconfig that leads to the server; `namespace`: of its context. */
export function kubeconfigOf(api: KubeApi, namespace?: string): string {
  const file = join(temporaryDirectory(), 'config');
  const ca = Buffer.from(theAuthority().ca).toString('base64');
  writeFileSync(
    file,
    JSON.stringify({
      'current-context': 'lab',
      clusters: [{ name: 'lab', cluster: { server: api.url, 'certificate-authority-data': ca } }],
      users: [{ name: 'tracer', user: { token: TOKEN } }],
      contexts: [{ name: 'lab', context: { cluster: 'lab', user: 'tracer', namespace } }],
    }),
  );
  return file;
}

/** What a pod with a service account sees of the server. */
export function surroundingsOf(api: KubeApi, env: Record<string, string> = {}): Surroundings {
  const serviceAccount = join(temporaryDirectory(), 'serviceaccount');
  mkdirSync(serviceAccount);
  writeToken(serviceAccount, TOKEN);
  writeFileSync(join(serviceAccount, 'ca.crt'), theAuthority().ca);
  writeFileSync(join(serviceAccount, 'namespace'), 'monitoring');
  const server = { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: String(api.port) };
  return { serviceAccount, env: { ...server, NODE_NAME: NODE, ...env } };
}

/** As kubelet does when the old one is about to run out. */
export function writeToken(serviceAccount: string, token: string): void {
  writeFileSync(join(serviceAccount, 'token'), `${token}\n`);
}

export interface Following {
  readonly source: KubernetesSource;
  readonly seen: Recorder;
  readonly surroundings: Surroundings;
  /** Resolves with the state once it is so. */
  until(holds: (state: SourceState) => boolean): Promise<SourceState>;
}

/** A source that follows the server, stopped when the test ends. Without peers unless asked for. */
export function follow(
  api: KubeApi,
  { options = {}, surroundings = surroundingsOf(api), timing = FAST }: Partial<FollowParts> = {},
): Following {
  const source = new KubernetesSource({ peers: false, ...options }, { surroundings, timing });
  const seen = new Recorder();
  onTestFinished(() => source.stop());
  source.start(seen);
  const until = async (holds: (state: SourceState) => boolean) => {
    await eventually(() => {
      if (!holds(source.state)) throw new Error(`it is ${JSON.stringify(source.state)}`);
    });
    return source.state;
  };
  return { source, seen, surroundings, until };
}

interface FollowParts {
  readonly options: KubernetesOptions;
  readonly surroundings: Surroundings;
  readonly timing: Timing;
}

/** Tries until it throws no more. */
export function eventually<T>(holds: () => T): Promise<T> {
  return vi.waitFor(holds, { timeout: 15_000, interval: 5 });
}

/** A pod of this node that runs. */
export function pod(
  name: string,
  ip: string,
  more: Partial<KubeObject> & { labels?: Record<string, string> } = {},
): KubeObject {
  const { labels = {}, ...rest } = more;
  return {
    metadata: { name, namespace: 'shop', labels, creationTimestamp: '2026-11-22T09:00:00Z' },
    spec: { nodeName: NODE },
    status: { phase: 'Running', podIP: ip, podIPs: [{ ip }] },
    ...rest,
  };
}

export function putPods(api: KubeApi, count: number, from = 0): void {
  for (let index = from; index < from + count; index++) {
    api.put(PODS, pod(`web-${index}`, `10.244.${index >> 8}.${index & 255}`));
  }
}
