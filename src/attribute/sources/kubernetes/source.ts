import type { Observer, Source, SourceState } from '../../source.js';
import type { KubernetesOptions } from '../kubernetes-options.js';
import { ApiClient } from './client.js';
import { Cluster } from './cluster.js';
import { SURROUNDINGS, type Surroundings } from './credentials.js';
import { type ApiFailure, toFailure } from './failure.js';
import { findCredentials } from './find-credentials.js';
import { findNodeName } from './node-name.js';
import { Backoff, pause, TIMING, type Timing } from './timing.js';

/** What tests change. */
export interface KubernetesSourceParts {
  readonly surroundings?: Surroundings;
  readonly timing?: Timing;
}

/** The pods of this node, and the services, nodes and pods at the other end, from the Kubernetes API. */
export class KubernetesSource implements Source {
  readonly name = 'kubernetes';
  readonly #options: KubernetesOptions;
  readonly #surroundings: Surroundings;
  readonly #timing: Timing;
  readonly #abort = new AbortController();
  #client: ApiClient | undefined;
  #cluster: Cluster | undefined;
  /** What keeps the cluster from being followed. */
  #trouble: ApiFailure | 'absent' | undefined;
  #running: Promise<void> | undefined;

  constructor(options: KubernetesOptions, parts: KubernetesSourceParts = {}) {
    this.#options = options;
    this.#surroundings = parts.surroundings ?? SURROUNDINGS;
    this.#timing = parts.timing ?? TIMING;
  }

  get state(): SourceState {
    const { name } = this;
    if (this.#trouble === 'absent') return { name, state: 'absent', why: NO_CREDENTIALS };
    const at = this.#client?.at;
    if (this.#trouble) return { name, state: 'failed', at, why: this.#trouble.message };
    if (this.#cluster === undefined) return { name, state: 'connecting', at };
    const { pods, podCount, complaints } = this.#cluster;
    const why = [...(pods.failure ? [pods.failure.message] : []), ...complaints].join('; ');
    return {
      name,
      state: pods.phase,
      at,
      why: why === '' ? undefined : why,
      ageMs: pods.heardMs === undefined ? undefined : Math.round(performance.now() - pods.heardMs),
      pods: podCount,
    };
  }

  start(observer: Observer): void {
    this.#running ??= this.#run(observer);
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }

  async #run(observer: Observer): Promise<void> {
    const { signal } = this.#abort;
    const backoff = new Backoff(this.#timing);
    while (!signal.aborted) {
      await this.#attempt(observer);
      const isAbsent = this.#trouble === 'absent';
      await pause(backoff.next(isAbsent ? this.#timing.refusedPauseMs : 0), signal);
    }
  }

  /** Follows the cluster until it is stopped; returns when that cannot begin. */
  async #attempt(observer: Observer): Promise<void> {
    const { signal } = this.#abort;
    try {
      const credentials = await findCredentials(this.#options, this.#surroundings);
      if (credentials === undefined) {
        this.#trouble = 'absent';
        return;
      }
      const client = new ApiClient(credentials, this.#timing, signal);
      this.#client = client;
      const node = await findNodeName(client, this.#options, this.#surroundings);
      this.#cluster = new Cluster({ client, observer, node, timing: this.#timing, signal });
      this.#trouble = undefined;
      await this.#cluster.run(this.#options.peers ?? true);
    } catch (error) {
      const failure = toFailure(error);
      if (failure.kind !== 'stopped') this.#trouble = failure;
    } finally {
      this.#client?.close();
    }
  }
}

const NO_CREDENTIALS =
  'there is no kubeconfig and no service account: give --kubeconfig FILE (on a node, /etc/kubernetes/kubelet.conf may read its pods)';
