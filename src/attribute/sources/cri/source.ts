import type { Observer, PodSighting } from '../../source.js';
import { netnsInode } from '../netns.js';
import { allThere, type Places, place, placesOnNode } from '../paths.js';
import { PolledSource } from '../polled-source.js';
import type { Pace } from '../poller.js';
import { type Container, CriClient, type CriEvents, type Sandbox } from './client.js';
import { networkOf, type SandboxNetwork, sightingOf } from './sandbox.js';

export interface CriOptions {
  /** Path of the runtime's socket; without it the usual places. */
  readonly socket?: string | undefined;
  /** Where it is looked for without one. */
  readonly places?: Places | undefined;
  readonly pace?: Pace | undefined;
  /** Of one question, in milliseconds. */
  readonly deadlineMs?: number | undefined;
}

/** Asks the container runtime (containerd, CRI-O) for this node's pods. */
export class CriSource extends PolledSource {
  readonly #known = new Map<string, KnownSandbox>();
  readonly #places: Places;
  readonly #deadlineMs: number;
  readonly #startedMs = Date.now();
  #connection: Connection | undefined;
  #failures = 0;

  constructor({
    socket,
    places = placesOnNode(...SOCKETS),
    pace = PACE,
    deadlineMs = DEADLINE_MS,
  }: CriOptions = {}) {
    super('cri', pace);
    this.#deadlineMs = deadlineMs;
    this.#places = socket === undefined ? places : place(socket);
  }

  override async stop(): Promise<void> {
    this.#disconnect();
    await super.stop();
    this.#disconnect();
  }

  protected override async look(observer: Observer, signal: AbortSignal): Promise<boolean> {
    try {
      const connection = await this.#connect();
      return connection === undefined ? false : await this.#ask(connection.client, observer, signal);
    } catch (error) {
      this.#disconnect();
      this.#failures++;
      throw error;
    }
  }

  /** undefined: there is no runtime. A socket may be what is left of another runtime: after a failure the next one is tried. */
  async #connect(): Promise<Connection | undefined> {
    if (this.#connection) return this.#connection;
    const there = await allThere(this.#places);
    const socket = there[this.#failures % there.length];
    if (socket === undefined) {
      this.health.absent(`no container runtime has its socket at ${this.#places.words}`);
      return undefined;
    }
    this.health.lookingAt(socket);
    const client = await CriClient.open(socket, this.#deadlineMs);
    const connection: Connection = { client, events: undefined };
    connection.events = client.events(
      () => this.nudge(),
      () => {
        connection.events = undefined;
      },
    );
    this.#connection = connection;
    return connection;
  }

  #disconnect(): void {
    this.#connection?.events?.cancel();
    this.#connection?.client.close();
    this.#connection = undefined;
  }

  async #ask(client: CriClient, observer: Observer, signal: AbortSignal): Promise<boolean> {
    const [all, containers] = await Promise.all([client.sandboxes(), client.containers()]);
    const sandboxes = all.slice(0, MAX_PODS);
    const live = containersBySandbox(containers);
    this.#forget(sandboxes);
    await eachOf(
      sandboxes.filter((sandbox) => this.#isWorthAsking(sandbox)),
      (sandbox) => this.#learn(client, sandbox),
    );
    const missing = all.length - sandboxes.length;
    const why = missing > 0 ? `${missing} of its ${all.length} sandboxes are left out` : undefined;
    this.health.ok(sandboxes.filter(isReady).length, why);
    return await this.#tellAll(observer, signal, sandboxes, live);
  }

  #forget(sandboxes: readonly Sandbox[]): void {
    const ids = new Set(sandboxes.map(({ id }) => id));
    for (const id of this.#known.keys()) {
      if (!ids.has(id)) this.#known.delete(id);
    }
  }

  /** One that is not ready any more is asked about when it was not before: it may have lived between two looks. */
  #isWorthAsking(sandbox: Sandbox): boolean {
    const known = this.#known.get(sandbox.id);
    if (known) return !known.complete && isReady(sandbox) && known.asked < MAX_ASKED;
    return isReady(sandbox) || sandbox.createdAt / 1e6 > this.#startedMs;
  }

  async #learn(client: CriClient, sandbox: Sandbox): Promise<void> {
    const asked = (this.#known.get(sandbox.id)?.asked ?? 0) + 1;
    const status = await client.status(sandbox.id).catch(() => undefined); // it may be gone by now
    if (status === undefined) return;
    const network = networkOf(status);
    const netns = network.hostNetwork
      ? undefined
      : await netnsInode({ path: network.netnsPath, pid: network.pid, proof: sandbox.id });
    const complete = network.hostNetwork || network.interfaces.some(({ ips }) => ips.length > 0);
    this.#known.set(sandbox.id, { network, netns, complete, asked, told: false });
  }

  async #tellAll(
    observer: Observer,
    signal: AbortSignal,
    sandboxes: readonly Sandbox[],
    containers: ReadonlyMap<string, readonly Container[]>,
  ): Promise<boolean> {
    const sighting = (sandbox: Sandbox): PodSighting[] => {
      const known = this.#known.get(sandbox.id);
      if (known === undefined) return [];
      return [sightingOf(sandbox, known.network, known.netns, containers.get(sandbox.id) ?? [])];
    };
    for (const sandbox of sandboxes.filter((other) => !isReady(other))) {
      this.#tellOnce(observer, sandbox, sighting(sandbox));
    }
    const ready = sandboxes.filter(isReady);
    for (const { id } of ready) {
      const known = this.#known.get(id);
      if (known) known.told = true;
    }
    return await this.tell(signal, ready.flatMap(sighting));
  }

  /** Who came and went between two looks was there all the same. Those that live are told after it: an address may be theirs. */
  #tellOnce(observer: Observer, { id }: Sandbox, sightings: readonly PodSighting[]): void {
    const known = this.#known.get(id);
    if (known === undefined || known.told) return;
    known.told = true;
    for (const sighting of sightings) observer.pod(sighting);
    observer.podGone(id);
  }
}

/** The usual places: containerd's own, CRI-O's, then those of k3s and RKE2, k0s, MicroK8s. */
const SOCKETS = [
  '/run/containerd/containerd.sock',
  '/run/crio/crio.sock',
  '/run/k3s/containerd/containerd.sock',
  '/run/k0s/containerd.sock',
  '/var/snap/microk8s/common/run/containerd.sock',
];

/** Fast enough that a pod is known a moment after it came, and 5 s where nothing comes and goes. */
const PACE: Pace = { minMs: 200, maxMs: 5000 };

/** A runtime under load takes a second for some hundred pods. */
const DEADLINE_MS = 5000;

/** Ten times what Kubernetes supports on a node, and then some. */
const MAX_PODS = 10_000;

/** Times that a sandbox without an address is asked about. */
const MAX_ASKED = 20;

/** Questions at the same time. */
const CONCURRENCY = 8;

interface Connection {
  readonly client: CriClient;
  events: CriEvents | undefined;
}

interface KnownSandbox {
  readonly network: SandboxNetwork;
  readonly netns: number | undefined;
  /** It has its address. */
  readonly complete: boolean;
  readonly asked: number;
  told: boolean;
}

function isReady({ state }: Sandbox): boolean {
  return state === 'SANDBOX_READY';
}

function containersBySandbox(containers: readonly Container[]): Map<string, Container[]> {
  const lists = new Map<string, Container[]>();
  for (const container of containers.slice(0, MAX_PODS * 4)) {
    if (container.state === 'CONTAINER_EXITED') continue;
    const list = lists.get(container.podSandboxId);
    if (list) list.push(container);
    else lists.set(container.podSandboxId, [container]);
  }
  return lists;
}

async function eachOf<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = items[Symbol.iterator]();
  const workers = Array.from({ length: CONCURRENCY }, async () => {
    for (const item of queue) await work(item);
  });
  await Promise.all(workers);
}
