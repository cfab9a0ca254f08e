import { statSync } from 'node:fs';
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
}

/** A pod that containerd runs. */
export class RealPod implements AsyncDisposable {
  readonly spec: PodSpec;
  /** Of its sandbox. */
  readonly id: string;
  /** IPv4 and IPv6, as the runtime tells them; none with hostNetwork. */
  readonly ips: readonly string[];
  /** Of the sandbox's process. */
  readonly pid: number;
  /** Devices at the node's end: lxc..., veth.... */
  readonly hostDevices: readonly string[];
  /** Where its network namespace is mounted; that of its process with hostNetwork. */
  readonly netnsPath: string;
  /** Inode number of its network namespace: what the tracer reports. */
  readonly netns: number;
  readonly #admin: CriAdmin;
  readonly #config: object;

  private constructor(spec: PodSpec, id: string, status: Status, admin: CriAdmin, config: object) {
    const info = JSON.parse(status.info.info ?? '{}') as Info;
    const { ip, additionalIps } = status.status.network ?? { ip: '', additionalIps: [] };
    this.spec = spec;
    this.id = id;
    this.ips = [ip, ...additionalIps.map((other) => other.ip)].filter((address) => address !== '');
    this.pid = info.pid;
    this.hostDevices = hostDevicesOf(info);
    this.netnsPath = netnsOf(info) ?? `/proc/${info.pid}/ns/net`;
    this.netns = statSync(this.netnsPath).ino;
    this.#admin = admin;
    this.#config = config;
  }

  /** Resolves when the pod's sandbox runs and has its network. */
  static async run(admin: CriAdmin, spec: PodSpec, cgroups: string): Promise<RealPod> {
    const config = sandboxConfig(spec, cgroups);
    const { podSandboxId: id } = await admin.call<{ podSandboxId: string }>('RunPodSandbox', { config });
    const status = await admin.call<Status>('PodSandboxStatus', { podSandboxId: id, verbose: true });
    return new RealPod(spec, id, status, admin, config);
  }

  /** The first of its addresses. */
  get ip(): string {
    return this.ips[0] as string;
  }

  /** Runs a container in it, the program of pause.c with these arguments, and returns its id. */
  async runContainer(name: string, args: readonly string[] = []): Promise<string> {
    const { containerId } = await this.#admin.call<{ containerId: string }>('CreateContainer', {
      podSandboxId: this.id,
      config: {
        metadata: { name },
        image: { image: PAUSE_IMAGE },
        command: ['/pause', ...args],
        labels: { ...podLabels(this.spec), 'io.kubernetes.container.name': name },
        linux: { securityContext: { namespaceOptions: namespaceOptions(this.spec) } },
      },
      sandboxConfig: this.#config,
    });
    await this.#admin.call('StartContainer', { containerId });
    return containerId;
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

interface Status {
  readonly status: {
    readonly network: { readonly ip: string; readonly additionalIps: { readonly ip: string }[] } | null;
  };
  readonly info: Readonly<Record<string, string>>;
}

interface Info {
  readonly pid: number;
  readonly runtimeSpec: {
    readonly linux: { readonly namespaces: readonly { readonly type: string; readonly path?: string }[] };
  };
  readonly cniResult: { readonly Interfaces: Readonly<Record<string, { readonly Sandbox: string }>> } | null;
}

function hostDevicesOf({ cniResult }: Info): string[] {
  const interfaces = Object.entries(cniResult?.Interfaces ?? {});
  return interfaces.filter(([, { Sandbox }]) => Sandbox === '').map(([name]) => name);
}

function netnsOf({ runtimeSpec }: Info): string | undefined {
  return runtimeSpec.linux.namespaces.find(({ type }) => type === 'network')?.path;
}

function sandboxConfig(spec: PodSpec, cgroups: string): object {
  return {
    metadata: { name: spec.name, namespace: spec.namespace, uid: spec.uid },
    // runc refuses one where the pod shares the node's.
    hostname: spec.hostNetwork ? '' : spec.name,
    labels: podLabels(spec),
    linux: {
      cgroupParent: `${cgroups}/kubepods/burstable/pod${spec.uid}`,
      securityContext: { namespaceOptions: namespaceOptions(spec) },
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

function namespaceOptions({ hostNetwork = false }: PodSpec): object {
  return { network: hostNetwork ? 'NODE' : 'POD', pid: 'CONTAINER' };
}
