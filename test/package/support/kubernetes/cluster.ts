import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fetchKubernetesTools } from '../../../../scripts/lib/kubernetes-tools.mjs';
import type { Lab } from '../../../../src/lab/lab.js';
import { attempt, type Result, run } from '../../../../src/lab/process.js';
import { ROOT } from '../../../../src/root.js';
import { makePauseImage } from '../../../kernel/support/containerd/image.js';
import { Containerd, type PodOnNode } from '../../../kernel/support/containerd.js';
import type { Daemon } from '../../../support/daemon.js';
import { builtKubernetes } from './build.js';
import { ControlPlane } from './control-plane.js';
import { startKubelet } from './kubelet.js';
import { OwnMounts } from './own-mounts.js';
import { NODE, Papers, SERVICE_ADDRESS } from './papers.js';

/**
 * A Kubernetes of one node, which is the node of a lab: control plane, kubelet and containerd see its network and no other, and mounts of
 * their own. People are in the lab's world. Without kube-proxy: the one service that has an address is the API server.
 *
 *   cluster = await Cluster.start(lab, [image]);
 *   await cluster.kubectl('get', 'pods', '-A');
 */
export class Cluster {
  readonly folder = mkdtempSync(join(tmpdir(), 'rpfk-'));
  readonly #lab: Lab;
  readonly #papers = new Papers(join(this.folder, 'papers'));
  /** Where helm, kubectl and rpftrace are. */
  #path: readonly string[] = [];
  #admin = '';
  #mounts: OwnMounts | undefined;
  #containerd: Containerd | undefined;
  #controlPlane: ControlPlane | undefined;
  #kubelet: Daemon | undefined;

  private constructor(lab: Lab) {
    this.#lab = lab;
  }

  /** Resolves when the node can run pods of these images, which are archives. */
  static async start(lab: Lab, images: readonly string[]): Promise<Cluster> {
    const cluster = new Cluster(lab);
    try {
      await cluster.#start(images);
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  /** The path of a kubeconfig of somebody who may do nothing yet, or what a group may. */
  kubeconfig(user: string, group?: string): string {
    return this.#papers.kubeconfig(user, group);
  }

  /** As administrator. Throws its words when it fails. */
  async kubectl(...words: string[]): Promise<string> {
    return await this.#inWorld(['kubectl', ...words]);
  }

  async helm(...words: string[]): Promise<string> {
    return await this.#inWorld(['helm', ...words]);
  }

  /** A line for a shell, as it stands in a document: helm, kubectl and rpftrace are there, and it runs in the project. */
  async line(line: string): Promise<Result> {
    const [command = '', ...rest] = this.#outside(['sh', '-c', line]);
    return await attempt(command, rest);
  }

  /** An object as the API server has it. */
  // biome-ignore lint/suspicious/noExplicitAny: each test knows what it asks for
  async get(...words: string[]): Promise<any> {
    return JSON.parse(await this.kubectl('get', ...words, '-o', 'json'));
  }

  async apply(...objects: object[]): Promise<void> {
    const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
    await this.#inWorld(['kubectl', 'apply', '--validate=false', '-f', '-'], list);
  }

  /** As containerd knows it. */
  async podOnNode(namespace: string, name: string): Promise<PodOnNode> {
    return await (this.#containerd as Containerd).findPod(namespace, name);
  }

  async killApiServer(): Promise<void> {
    await this.#controlPlane?.killApiServer();
  }

  async startApiServer(): Promise<void> {
    await this.#controlPlane?.startApiServer();
  }

  /** Leaves nothing, whatever of it fails. */
  async stop(): Promise<void> {
    const failures: unknown[] = [];
    for (const part of [this.#kubelet, this.#containerd, this.#controlPlane, this.#mounts])
      await part?.stop().catch((error) => failures.push(error));
    rmSync(this.folder, { recursive: true, force: true });
    if (failures.length > 0) throw failures[0];
  }

  async #start(images: readonly string[]): Promise<void> {
    const programs = await builtKubernetes();
    const { helm, kubectl } = await fetchKubernetesTools();
    this.#path = [dirname(helm), dirname(kubectl), join(ROOT, 'bin')];
    this.#admin = this.kubeconfig('admin', 'system:masters');
    await this.#lab.inside('node', `ip address add ${SERVICE_ADDRESS}/32 dev lo`);
    this.#mounts = await OwnMounts.make(this.folder);
    const netns = this.#lab.path('node');
    const common = { programs, papers: this.#papers, folder: this.folder };
    this.#controlPlane = new ControlPlane({ ...common, enter: ['nsenter', `--net=${netns}`] });
    this.#containerd = await Containerd.start({ netns, network: 'lxc', mounts: this.#mounts });
    await this.#containerd.import(await makePauseImage(this.folder, NEWER_PAUSE_IMAGE));
    for (const image of images) await this.#containerd.import(image);
    await this.#controlPlane.start();
    this.#kubelet = await startKubelet({
      ...common,
      enter: [...this.#mounts.enter, `--net=${netns}`],
      cgroups: this.#containerd.cgroups,
      isReady: () => this.#nodeIsReady(),
    });
  }

  async #nodeIsReady(): Promise<boolean> {
    const path = `jsonpath='{.status.conditions[?(@.type=="Ready")].status}'`;
    const { stdout } = await this.line(`kubectl get node ${NODE} -o ${path}`);
    return stdout === 'True';
  }

  async #inWorld(words: readonly string[], input?: string): Promise<string> {
    const [command = '', ...rest] = this.#outside(words);
    return await run(command, rest, { input });
  }

  /** What they keep of the cluster, they keep in its folder. */
  #outside(words: readonly string[]): string[] {
    const path = [...this.#path, process.env.PATH].join(':');
    const environment = [`HOME=${this.folder}`, `KUBECONFIG=${this.#admin}`, `PATH=${path}`];
    return ['nsenter', `--net=${this.#lab.path('world')}`, 'env', ...environment, ...words];
  }
}

/** The workload in deploy/kubernetes/sidecar.yaml. */
const NEWER_PAUSE_IMAGE = 'registry.k8s.io/pause:3.10';
