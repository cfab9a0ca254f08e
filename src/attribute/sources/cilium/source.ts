import type { Observer, PeerSighting, PodSighting } from '../../source.js';
import { allThere, type Places, place, placesOnNode } from '../paths.js';
import { PolledSource } from '../polled-source.js';
import type { Pace } from '../poller.js';
import { type ApiLimits, CiliumApi, StatusError } from './api.js';
import { nodeOfConfig, peerOfAddress, peersOfNodes } from './cluster.js';
import { mergeEndpoints, podOfEndpoint } from './endpoint.js';

export interface CiliumOptions {
  /** Path of the agent's socket; the usual one without it. */
  readonly socket?: string | undefined;
  readonly pace?: Pace | undefined;
  readonly limits?: ApiLimits | undefined;
  /** Between two questions about the node and the cluster, in milliseconds. */
  readonly clusterEveryMs?: number | undefined;
}

/** Asks the Cilium agent of this node for its endpoints, and for nodes and pods elsewhere. */
export class CiliumSource extends PolledSource {
  readonly #places: Places;
  readonly #limits: ApiLimits;
  readonly #clusterEveryMs: number;
  #cluster: Cluster = { askedMs: Number.NEGATIVE_INFINITY, peers: [], missing: [] };

  constructor({
    socket,
    pace = PACE,
    limits = LIMITS,
    clusterEveryMs = CLUSTER_EVERY_MS,
  }: CiliumOptions = {}) {
    super('cilium', pace);
    this.#places = socket === undefined ? placesOnNode(SOCKET) : place(socket);
    this.#limits = limits;
    this.#clusterEveryMs = clusterEveryMs;
  }

  protected override async look(observer: Observer, signal: AbortSignal): Promise<boolean> {
    const [socket] = await allThere(this.#places);
    if (socket === undefined) {
      this.health.absent(`no Cilium agent has its socket at ${this.#places.words}`);
      return false;
    }
    this.health.lookingAt(socket);
    const api = new CiliumApi(socket, this.#limits);
    const { pods, left } = await endpointsOf(api, signal);
    if (performance.now() - this.#cluster.askedMs > this.#clusterEveryMs) {
      this.#cluster = await askCluster(api, observer, signal);
    }
    const { peers, missing } = this.#cluster;
    const notes = [...missing, ...(left > 0 ? [`${left} endpoints are left out`] : [])];
    this.health.ok(pods.length, notes.length > 0 ? notes.join('; ') : undefined);
    return await this.tell(signal, pods, peers);
  }
}

const SOCKET = '/var/run/cilium/cilium.sock';

/** An agent takes some 10 ms for a hundred endpoints. */
const PACE: Pace = { minMs: 500, maxMs: 10_000 };

const CLUSTER_EVERY_MS = 30_000;

/** 10,000 endpoints with their policies; they are taken one by one. */
const LIMITS: ApiLimits = { timeoutMs: 10_000, maxBytes: 256 << 20 };

const MAX_ENDPOINTS = 10_000;
const MAX_ADDRESSES = 100_000;

interface Cluster {
  readonly askedMs: number;
  readonly peers: readonly PeerSighting[];
  /** What could not be asked, and why. */
  readonly missing: readonly string[];
}

async function endpointsOf(
  api: CiliumApi,
  signal: AbortSignal,
): Promise<{ readonly pods: PodSighting[]; readonly left: number }> {
  const pods: PodSighting[] = [];
  let left = 0;
  await api.list('/v1/endpoint', signal, (element) => {
    const pod = podOfEndpoint(element);
    if (pod === undefined) return;
    if (pods.length < MAX_ENDPOINTS) pods.push(pod);
    else left++;
  });
  return { pods: mergeEndpoints(pods), left };
}

/** None of it is needed for naming pods: what an agent does not tell is left out, and said. */
async function askCluster(api: CiliumApi, observer: Observer, signal: AbortSignal): Promise<Cluster> {
  const missing: string[] = [];
  const orSay = <T>(question: Promise<T>): Promise<T | undefined> =>
    question.catch((error: unknown) => {
      // 404 and 501: a version that does not know the question
      if (!(error instanceof StatusError && [404, 501].includes(error.status)))
        missing.push((error as Error).message);
      return undefined;
    });
  const config = await orSay(api.get('/v1/config', signal));
  const nodes = peersOfNodes(await orSay(api.get('/v1/cluster/nodes', signal)));
  const addresses = (await orSay(addressesOf(api, signal))) ?? [];
  signal.throwIfAborted();
  observer.node({ ...nodeOfConfig(config), name: nodes.self });
  return { askedMs: performance.now(), peers: [...nodes.peers, ...addresses], missing };
}

async function addressesOf(api: CiliumApi, signal: AbortSignal): Promise<PeerSighting[]> {
  const peers: PeerSighting[] = [];
  await api.list('/v1/ip', signal, (entry) => {
    const peer = peers.length < MAX_ADDRESSES ? peerOfAddress(entry) : undefined;
    if (peer) peers.push(peer);
  });
  return peers;
}
