import { mkdtemp, readdir, rm, rmdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { attempt, type Result, run } from '../../../src/lab/process.js';
import { Daemon } from '../../support/daemon.js';
import { mounts } from '../../support/mounts.js';
import { type CniDirectories, type PodNetwork, prepareCni } from './containerd/cni.js';
import { CriAdmin } from './containerd/cri-admin.js';
import { makePauseImage } from './containerd/image.js';
import { PodOnNode, type PodSpec, RealPod } from './containerd/pod.js';
import { PAUSE_IMAGE } from './containerd/settings.js';

export type { PodNetwork, PodOnNode, PodSpec, RealPod };

export interface ContainerdOptions {
  /** Path of the network namespace that plays the node: a lab's node for `lxc`. */
  readonly netns: string;
  readonly network: PodNetwork;
  /** Where it runs in mounts of its own: its socket, and the pods' network namespaces, are in the /run that is there. */
  readonly mounts?: NodeMounts;
}

export interface NodeMounts {
  /** Words that lead into them. */
  readonly enter: readonly string[];
  /** Their /run, as seen from outside. */
  readonly run: string;
}

/**
 * A containerd that nobody else uses: root, state, socket, CNI plugins and cgroups are its own, and the network namespace that
 * it runs in plays the node. Nothing of the host's network is touched.
 *
 *   await using containerd = await Containerd.start({ netns: lab.path('node'), network: 'lxc' });
 *   const pod = await containerd.runPod({ namespace: 'qfusion-admin', name: 'mssql-0' });
 *   await pod.sendUdp('203.0.113.9');
 */
export class Containerd implements AsyncDisposable {
  readonly socket: string;
  readonly folder: string;
  /** The cgroup that those of its pods are in. */
  readonly cgroups: string;
  readonly #enter: readonly string[];
  #daemon: Daemon | undefined;
  #admin: CriAdmin;

  private constructor(folder: string, { netns, mounts }: ContainerdOptions) {
    this.folder = folder;
    // Short: a socket's path has 107 bytes.
    this.socket = mounts ? join(mounts.run, USUAL_SOCKET) : join(folder, 'c.sock');
    this.cgroups = `/rpftrace-test-${process.pid}-${++started}`;
    // Not with `ip netns exec`: mounts that it makes must be seen from outside.
    this.#enter = [...(mounts?.enter ?? ['nsenter']), `--net=${netns}`];
    this.#admin = new CriAdmin(this.socket);
  }

  /** Resolves when it can run pods. Throws what it wrote to its log when it cannot. */
  static async start(options: ContainerdOptions): Promise<Containerd> {
    const folder = await mkdtemp(join(tmpdir(), 'rpfc-'));
    const containerd = new Containerd(folder, options);
    try {
      const cni = await prepareCni(join(folder, 'cni'), options.network);
      const socket = options.mounts ? join('/run', USUAL_SOCKET) : containerd.socket;
      const changes = changesFor(folder, socket, cni, options.mounts !== undefined);
      await writeFile(join(folder, 'config.toml'), await configuration(changes));
      await containerd.#boot();
      const image = await makePauseImage(folder, PAUSE_IMAGE);
      await containerd.import(image);
      return containerd;
    } catch (error) {
      await containerd.stop();
      throw error;
    }
  }

  /** Resolves when the pod has its network. A pod without a UID gets one. */
  async runPod(spec: Omit<PodSpec, 'uid'> & { readonly uid?: string }): Promise<RealPod> {
    const places = { cgroups: this.cgroups, logs: join(this.folder, 'logs') };
    return await RealPod.run(this.#admin, { uid: crypto.randomUUID(), ...spec }, places);
  }

  /** A pod that somebody else has it run: the kubelet. */
  async findPod(namespace: string, name: string): Promise<PodOnNode> {
    return await PodOnNode.find(this.#admin, namespace, name);
  }

  /** Gives it the images of an archive. */
  async import(archive: string): Promise<void> {
    await run('ctr', [...this.#client, 'images', 'import', archive]);
  }

  /** Runs a container to its end, alone, with nothing but what these options of `ctr run` give it. */
  async runToEnd(image: string, args: readonly string[], options: readonly string[] = []): Promise<Result> {
    const id = `alone-${++started}`;
    const place = ['--rm', '--cgroup', `${this.cgroups}/${id}`];
    return await attempt('ctr', [...this.#client, 'run', ...place, ...options, image, id, ...args]);
  }

  /** Runs a command in a container that runs. */
  async exec(containerId: string, ...command: string[]): Promise<Result> {
    const exec = ['task', 'exec', '--exec-id', `exec-${++started}`, containerId];
    return await attempt('ctr', [...this.#client, ...exec, ...command]);
  }

  /** Sends one to the first process of a container. */
  async signal(containerId: string, signal: NodeJS.Signals): Promise<void> {
    await run('ctr', [...this.#client, 'task', 'kill', '--signal', signal, containerId]);
  }

  /** As when it crashes: pods live on, its socket is there and answers nobody. */
  async kill(): Promise<void> {
    const daemon = this.#daemon;
    this.#daemon = undefined;
    await daemon?.stop('SIGKILL');
  }

  /** After kill(). Resolves when it can run pods again. */
  async restart(): Promise<void> {
    await this.kill();
    await this.#boot();
  }

  /** Removes its pods, and all that it made, whatever becomes of the pods. Idempotent. */
  async stop(): Promise<void> {
    try {
      await this.#removePods();
    } finally {
      await this.kill();
      this.#admin.close();
      await unmountBelow(this.folder);
      await rm(this.folder, { recursive: true, force: true });
      await removeCgroups(this.cgroups);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** containerd's own client, where pods live. */
  get #client(): string[] {
    return ['--address', this.socket, '--namespace', 'k8s.io'];
  }

  async #boot(): Promise<void> {
    const words = [...this.#enter, 'containerd', '--config', join(this.folder, 'config.toml')];
    const isReady = () => this.#answers();
    const options = { log: join(this.folder, 'log'), isReady, withinMs: READY_WITHIN_MS };
    this.#daemon = await Daemon.start(words, options);
  }

  /** Its CRI plugin comes up after its socket. */
  async #answers(): Promise<boolean> {
    return await this.#admin.call('ListPodSandbox', {}).then(
      () => true,
      () => false,
    );
  }

  async #removePods(): Promise<void> {
    if (this.#daemon === undefined) await this.#boot().catch(() => undefined);
    if (!(await this.#answers())) return;
    const { items } = await this.#admin.call<{ items: { id: string }[] }>('ListPodSandbox', {});
    for (const { id } of items) {
      await this.#admin.call('StopPodSandbox', { podSandboxId: id });
      await this.#admin.call('RemovePodSandbox', { podSandboxId: id });
    }
  }
}

let started = 0;

const READY_WITHIN_MS = 20_000;
/** Below /run. */
const USUAL_SOCKET = 'containerd/containerd.sock';

type Change = readonly [RegExp, string];

/** Other places than the usual ones, and what cannot be done everywhere. */
function changesFor(folder: string, socket: string, cni: CniDirectories, hasOwnRun: boolean): Change[] {
  return [
    [/^root = .*/m, `root = "${join(folder, 'root')}"`],
    [/^state = .*/m, `state = "${join(folder, 'state')}"`],
    [/address = "\/run\/containerd\/containerd.sock"/, `address = "${socket}"`],
    [/path = "\/opt\/containerd"/, `path = "${join(folder, 'opt')}"`],
    [/bin_dir = .*/, `bin_dir = "${cni.bin}"`],
    [/conf_dir = .*/, `conf_dir = "${cni.conf}"`],
    [/sandbox_image = .*/, `sandbox_image = "${PAUSE_IMAGE}"`],
    // Where lowering oom_score_adj is forbidden, as in many containers.
    [/restrict_oom_score_adj = .*/, 'restrict_oom_score_adj = true'],
    [/netns_mounts_under_state_dir = .*/, `netns_mounts_under_state_dir = ${!hasOwnRun}`],
  ];
}

/** containerd's own defaults with changes. */
async function configuration(changes: readonly Change[]): Promise<string> {
  const defaults = await run('containerd', ['config', 'default']);
  return changes.reduce((text, [pattern, replacement]) => text.replace(pattern, replacement), defaults);
}

/** Network namespaces, root file systems and shared memory of pods that could not be removed. */
async function unmountBelow(folder: string): Promise<void> {
  const ours = mounts().filter(({ path }) => path.startsWith(`${folder}/`));
  for (const { path } of ours.reverse()) await attempt('umount', ['--lazy', path]);
}

/** The runtime removes those of containers; their parents are the kubelet's. */
async function removeCgroups(parent: string): Promise<void> {
  const roots = mounts().filter(({ type }) => type === 'cgroup' || type === 'cgroup2');
  await Promise.all(roots.map(({ path }) => removeFolders(`${path}${parent}`)));
}

/** A cgroup's files go with it. */
async function removeFolders(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    if (entry.isDirectory()) await removeFolders(join(folder, entry.name));
  }
  await rmdir(folder).catch(() => undefined);
}
