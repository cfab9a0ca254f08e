import { existsSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../../../src/lab/process.js';
import { SENDER } from '../../../../src/lab/sender.js';
import { MAC } from '../../../../src/lab/topology.js';
import type { CriAdmin } from './cri-admin.js';
import { PAUSE_IMAGE } from './settings.js';

export interface PodSpec {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** It gets the network of the node. */
  readonly hostNetwork?: boolean;
  /** And sees its processes. */
  readonly hostPid?: boolean;
  /** May have containers that are. */
  readonly privileged?: boolean;
}

export interface Mount {
  readonly hostPath: string;
  readonly containerPath: string;
  readonly readonly?: boolean;
  /** Whether what is mounted there later is seen in the container, too. */
  readonly propagation?: 'PROPAGATION_HOST_TO_CONTAINER';
}

/** A container of another image than the tests' own. */
export interface ContainerSpec {
  readonly image: string;
  /** Instead of the image's own entry point, as with `kubectl debug ... -- COMMAND`. */
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly mounts?: readonly Mount[];
  /** LinuxContainerSecurityContext of cri-admin.proto, without the namespaces, which are the pod's. */
  readonly security?: object;
}

/** A pod that containerd runs, for whomever. */
export class PodOnNode {
  readonly spec: PodSpec;
  /** Of its sandbox. */
  readonly id: string;
  /** IPv4 and IPv6, as the runtime tells them; none with hostNetwork. */
  readonly ips: readonly string[];
  /** Of the sandbox's process. */
  readonly pid: number;
  /** Devices at the node's end: lxc..., veth.... */
  readonly hostDevices: readonly string[];
  /** Where its network namespace is mounted; that of its process with hostNetwork, and where that mount is not seen here. */
  readonly netnsPath: string;
  /** Inode number of its network namespace: what the tracer reports. */
  readonly netns: number;

  protected constructor(spec: PodSpec, id: string, status: Status) {
    const info = JSON.parse(status.info.info ?? '{}') as Info;
    const { ip, additionalIps } = status.status.network ?? { ip: '', additionalIps: [] };
    this.spec = spec;
    this.id = id;
    this.ips = [ip, ...additionalIps.map((other) => other.ip)].filter((address) => address !== '');
    this.pid = info.pid;
    this.hostDevices = hostDevicesOf(info);
    const mounted = netnsOf(info);
    this.netnsPath = mounted !== undefined && existsSync(mounted) ? mounted : `/proc/${info.pid}/ns/net`;
    this.netns = statSync(this.netnsPath).ino;
  }

  /** One that runs. Throws where there is none. */
  static async find(admin: CriAdmin, namespace: string, name: string): Promise<PodOnNode> {
    const { items } = await admin.call<{ items: Sandbox[] }>('ListPodSandbox', {});
    const found = items.find(
      ({ metadata, state }) =>
        state === SANDBOX_READY && metadata.namespace === namespace && metadata.name === name,
    );
    if (found === undefined) throw new Error(`containerd runs no pod ${namespace}/${name}`);
    return new PodOnNode(found.metadata, found.id, await statusOf(admin, found.id));
  }

  /** The first of its addresses. */
  get ip(): string {
    return this.ips[0] as string;
  }

  /** Sends UDP packets from the pod's eth0, and resolves when the kernel has dealt with them. */
  async sendUdp(
    to: string,
    options: { readonly count: number; readonly src?: string; readonly device?: string } = { count: 1 },
  ): Promise<void> {
    const { count, src = this.ip, device } = options;
    await run(SENDER, [
      ...['udp', '--netns', this.netnsPath, '--src', src, '--dst', to, '--dst-mac', MAC],
      ...['--count', String(count)],
      ...(device === undefined ? [] : ['--device', device]),
    ]);
  }

  /** Sends a SYN, always from the same port: packets of one flow. */
  async connectTo(to: string, port: number): Promise<void> {
    await run(SENDER, [
      ...['tcp', '--netns', this.netnsPath, '--src', this.ip, '--dst', to, '--dst-mac', MAC],
      ...['--dst-port', String(port)],
    ]);
  }
}

/** A pod that was made here. */
export class RealPod extends PodOnNode implements AsyncDisposable {
  readonly #admin: CriAdmin;
  readonly #config: SandboxConfig;

  private constructor(spec: PodSpec, id: string, status: Status, admin: CriAdmin, config: SandboxConfig) {
    super(spec, id, status);
    this.#admin = admin;
    this.#config = config;
  }

  /** Resolves when the pod's sandbox runs and has its network. */
  static async run(admin: CriAdmin, spec: PodSpec, { cgroups, logs }: PodPlaces): Promise<RealPod> {
    const config = sandboxConfig(spec, cgroups, join(logs, spec.uid));
    const { podSandboxId: id } = await admin.call<{ podSandboxId: string }>('RunPodSandbox', { config });
    return new RealPod(spec, id, await statusOf(admin, id), admin, config);
  }

  /** Runs a container in it, the program of pause.c with these arguments, and returns its id. */
  async runContainer(name: string, args: readonly string[] = []): Promise<string> {
    return await this.#run(name, { image: { image: PAUSE_IMAGE }, command: ['/pause', ...args] });
  }

  /** Runs a container of any image that containerd has, and returns its id. */
  async runImage(name: string, { image, security = {}, ...what }: ContainerSpec): Promise<string> {
    return await this.#run(name, { image: { image }, ...what }, security);
  }

  /** What a container has printed. CRI puts time, stream, and whether a line is full or a part, before each. */
  async logOf(name: string, stream: 'stdout' | 'stderr'): Promise<string> {
    const log = await readFile(join(this.#config.logDirectory, name), 'utf8');
    const lines = log.split('\n').map((line) => line.split(' '));
    const printed = lines.filter(([, of]) => of === stream);
    return printed.map(([, , part, ...words]) => words.join(' ') + (part === 'F' ? '\n' : '')).join('');
  }

  async #run(name: string, what: object, security: object = {}): Promise<string> {
    const { containerId } = await this.#admin.call<{ containerId: string }>('CreateContainer', {
      podSandboxId: this.id,
      config: {
        ...what,
        metadata: { name },
        labels: { ...podLabels(this.spec), 'io.kubernetes.container.name': name },
        linux: { securityContext: { ...security, namespaceOptions: namespaceOptions(this.spec) } },
        logPath: name,
      },
      sandboxConfig: this.#config,
    });
    await this.#admin.call('StartContainer', { containerId });
    return containerId;
  }

  /** Stops it with all its containers and takes its network away, as the kubelet does some time before it removes it. */
  async halt(): Promise<void> {
    await this.#admin.call('StopPodSandbox', { podSandboxId: this.id });
  }

  /** Stops and removes it with all its containers. Idempotent. */
  async remove(): Promise<void> {
    await this.halt();
    await this.#admin.call('RemovePodSandbox', { podSandboxId: this.id });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.remove();
  }
}

export interface PodPlaces {
  /** The cgroup that those of its pods are made in. */
  readonly cgroups: string;
  /** A folder for what containers print. */
  readonly logs: string;
}

/** PodSandboxConfig of cri-admin.proto. */
interface SandboxConfig {
  readonly logDirectory: string;
  readonly [key: string]: unknown;
}

interface Status {
  readonly status: {
    readonly network: { readonly ip: string; readonly additionalIps: { readonly ip: string }[] } | null;
  };
  readonly info: Readonly<Record<string, string>>;
}

interface Sandbox {
  readonly id: string;
  readonly metadata: Pick<PodSpec, 'namespace' | 'name' | 'uid'>;
  readonly state: number;
}

/** PodSandboxState of cri.proto. */
const SANDBOX_READY = 0;

interface Info {
  readonly pid: number;
  readonly runtimeSpec: {
    readonly linux: { readonly namespaces: readonly { readonly type: string; readonly path?: string }[] };
  };
  readonly cniResult: { readonly Interfaces: Readonly<Record<string, { readonly Sandbox: string }>> } | null;
}

async function statusOf(admin: CriAdmin, id: string): Promise<Status> {
  return await admin.call<Status>('PodSandboxStatus', { podSandboxId: id, verbose: true });
}

function hostDevicesOf({ cniResult }: Info): string[] {
  const interfaces = Object.entries(cniResult?.Interfaces ?? {});
  return interfaces.filter(([, { Sandbox }]) => Sandbox === '').map(([name]) => name);
}

function netnsOf({ runtimeSpec }: Info): string | undefined {
  return runtimeSpec.linux.namespaces.find(({ type }) => type === 'network')?.path;
}

function sandboxConfig(spec: PodSpec, cgroups: string, logDirectory: string): SandboxConfig {
  const { privileged = false } = spec;
  return {
    logDirectory,
    metadata: { name: spec.name, namespace: spec.namespace, uid: spec.uid },
    // runc refuses one where the pod shares the node's.
    hostname: spec.hostNetwork ? '' : spec.name,
    labels: podLabels(spec),
    linux: {
      cgroupParent: `${cgroups}/kubepods/burstable/pod${spec.uid}`,
      securityContext: { namespaceOptions: namespaceOptions(spec), privileged },
    },
  };
}

/** Those that the kubelet sets. */
function podLabels(spec: PodSpec): Record<string, string> {
  return {
    ...spec.labels,
    'io.kubernetes.pod.name': spec.name,
    'io.kubernetes.pod.namespace': spec.namespace,
    'io.kubernetes.pod.uid': spec.uid,
  };
}

function namespaceOptions({ hostNetwork = false, hostPid = false }: PodSpec): object {
  return { network: hostNetwork ? 'NODE' : 'POD', pid: hostPid ? 'NODE' : 'CONTAINER' };
}
