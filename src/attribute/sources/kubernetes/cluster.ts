import { printable } from '../../../printable.js';
import type { Observer } from '../../source.js';
import type { ApiClient } from './client.js';
import { NodeBook } from './node-book.js';
import type { NodeName } from './node-name.js';
import { PeerBook } from './peer-book.js';
import { ciliumNodeFacts, nodeFacts, servicePeers, slicePeers } from './peers.js';
import { PodBook } from './pod-book.js';
import { Reflector, type ReflectorState, type Taker } from './reflector.js';
import type { Resource } from './resource.js';
import { CILIUM_NODES, ENDPOINT_SLICES, NODES, podsOf, SERVICES } from './resources.js';
import { pause, type Timing } from './timing.js';

/** Where the cluster is followed from. */
export interface Viewpoint {
  readonly client: ApiClient;
  readonly observer: Observer;
  readonly node: NodeName;
  readonly timing: Timing;
  readonly signal: AbortSignal;
}

/** All that is followed in a cluster: the pods of one node, and who else may be at the other end. */
export class Cluster {
  readonly #viewpoint: Viewpoint;
  readonly #pods: PodBook;
  readonly #podReflector: Reflector;
  readonly #peers: PeerBook;
  readonly #nodes: NodeBook;
  readonly #peerReflectors: { readonly resource: Resource; readonly reflector: Reflector }[] = [];

  constructor(viewpoint: Viewpoint) {
    const { observer, node } = viewpoint;
    this.#viewpoint = viewpoint;
    this.#pods = new PodBook(observer, node.name, () => this.#tellListed());
    this.#podReflector = this.#reflector(podsOf(node.name), this.#pods);
    this.#peers = new PeerBook(observer, MAX_PEERS);
    this.#nodes = new NodeBook(observer, this.#peers, node.name);
  }

  get pods(): ReflectorState {
    return this.#podReflector.state;
  }

  get podCount(): number {
    return this.#pods.uids.size;
  }

  /** What is missing, though the pods may be known. */
  get complaints(): string[] {
    const { name, isVerified } = this.#viewpoint.node;
    const isLost = this.pods.phase === 'ok' && this.podCount === 0 && !isVerified;
    const lost = `it knows no pods on a node ${printable(name)}: if this node has another name there, give --node NAME`;
    const many = `only ${MAX_PEERS} peers are kept`;
    return [
      ...(isLost ? [lost] : []),
      ...leftOf('pods', this.pods),
      ...this.#peerReflectors.flatMap(({ resource, reflector }) => complaintsOf(resource, reflector.state)),
      ...(this.#peers.isFull ? [many] : []),
    ];
  }

  /** Until it is stopped. */
  async run(withPeers: boolean): Promise<void> {
    await Promise.all([this.#podReflector.run(), withPeers ? this.#runPeers() : undefined]);
  }

  /**
   * Nodes come first: an address that a service or a pod shares with a node is the node's. Where nodes may not be read, the
   * services' own addresses are still good, those of pods behind them are not.
   */
  async #runPeers(): Promise<void> {
    const { timing, signal, node } = this.#viewpoint;
    const { isNodeAddress } = this.#nodes;
    let nodes: Promise<void> | undefined;
    const nodesKnown = new Promise<void>((resolve) => {
      nodes = this.#followPeers(NODES, {
        put: (uid, object) => this.#nodes.put(uid, nodeFacts(object)),
        drop: (uid) => this.#nodes.drop(uid),
        listed: () => {
          this.#nodes.isComplete = true;
          resolve();
        },
      });
    });
    const ciliumNodes = this.#followPeers(CILIUM_NODES, {
      put: (uid, object) => this.#nodes.put(uid, ciliumNodeFacts(object)),
      drop: (uid) => this.#nodes.drop(uid),
      listed: () => {},
    });
    const services = Promise.race([nodesKnown, pause(timing.headStartMs, signal)]).then(() =>
      this.#followPeers(SERVICES, {
        put: (uid, object) => this.#peers.put(uid, servicePeers(object, isNodeAddress)),
        drop: (uid) => this.#peers.drop(uid),
        listed: () => {},
      }),
    );
    const slices = Promise.race([nodesKnown, nodes]).then(() =>
      this.#followPeers(ENDPOINT_SLICES, {
        put: (uid, object) => this.#peers.put(uid, slicePeers(object, node.name, isNodeAddress)),
        drop: (uid) => this.#peers.drop(uid),
        listed: () => {},
      }),
    );
    await Promise.all([nodes, ciliumNodes, services, slices]);
  }

  #followPeers(resource: Resource, taker: Taker): Promise<void> {
    const listed = () => {
      taker.listed();
      this.#tellListed();
    };
    const reflector = this.#reflector(resource, { ...taker, listed });
    this.#peerReflectors.push({ resource, reflector });
    return reflector.run();
  }

  #reflector(resource: Resource, taker: Taker): Reflector {
    const { client, timing, signal } = this.#viewpoint;
    return new Reflector(client, resource, taker, timing, signal);
  }

  #tellListed(): void {
    if (this.pods.heardMs === undefined) return;
    this.#viewpoint.observer.synced(new Set(this.#pods.uids), this.#peers.keys());
  }
}

const MAX_PEERS = 100_000;

function complaintsOf({ path, permission }: Resource, state: ReflectorState): string[] {
  const name = path.slice(path.lastIndexOf('/') + 1);
  // Not every cluster has Cilium.
  const isAbsent = state.failure?.kind === 'missing' && permission === CILIUM_NODES.permission;
  const trouble = state.failure && !isAbsent ? [`${name}: ${state.failure.message}`] : [];
  return [...trouble, ...leftOf(name, state)];
}

function leftOf(name: string, { left }: ReflectorState): string[] {
  return left > 0 ? [`${left} ${name} were too large, too many or not understood`] : [];
}
