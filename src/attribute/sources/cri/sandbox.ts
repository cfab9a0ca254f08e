import type { Interface, PodSighting } from '../../source.js';
import { addressesIn } from '../address.js';
import { arrayIn, countIn, type Json, objectIn, parseObject } from '../json.js';
import type { Container, Sandbox, SandboxStatus } from './client.js';
import { interfacesOf } from './cni.js';

/** What does not change as long as a sandbox lives. */
export interface SandboxNetwork {
  readonly hostNetwork: boolean;
  readonly interfaces: readonly Interface[];
  /** Where its network namespace is mounted, as the runtime sees it. */
  readonly netnsPath: string | undefined;
  /** Of its first process, as the runtime sees it. */
  readonly pid: number | undefined;
}

/** Reads what a runtime says in detail. Runtimes differ in what they say, so everything may be missing. */
export function networkOf({ status, info }: SandboxStatus): SandboxNetwork {
  const detail = parseObject(info.info);
  const spec = objectIn(detail.runtimeSpec);
  const { ip = '', additionalIps = [] } = status?.network ?? {};
  const ips = addressesIn([ip, ...additionalIps.map((other) => other.ip)]);
  return {
    hostNetwork: status?.linux?.namespaces?.options?.network === 'NODE',
    interfaces: interfacesOf(cniResultOf(detail, spec), ips),
    netnsPath: netnsPathOf(spec),
    pid: countIn(detail.pid),
  };
}

export function sightingOf(
  sandbox: Sandbox,
  network: SandboxNetwork,
  netns: number | undefined,
  containers: readonly Container[],
): PodSighting {
  return {
    key: sandbox.id,
    ...nameOf(sandbox),
    interfaces: network.hostNetwork ? [] : network.interfaces,
    hostNetwork: network.hostNetwork,
    netns: network.hostNetwork ? undefined : netns,
    containers: [
      { id: sandbox.id },
      ...containers.map(({ id, metadata }) => ({ id, name: metadata?.name || undefined })),
    ],
    labels: Object.fromEntries(
      Object.entries(sandbox.labels).filter(([name]) => !KUBELETS_OWN.includes(name)),
    ),
    createdMs: sandbox.createdAt > 0 ? Math.round(sandbox.createdAt / 1e6) : undefined,
  };
}

/** pkg/kubelet/types/labels.go: set on every sandbox beside the pod's labels. */
const KUBELETS_OWN = ['io.kubernetes.pod.name', 'io.kubernetes.pod.namespace', 'io.kubernetes.pod.uid'];

function nameOf({ metadata }: Sandbox): Pick<PodSighting, 'namespace' | 'name' | 'uid'> {
  return {
    namespace: metadata?.namespace || undefined,
    name: metadata?.name || undefined,
    uid: metadata?.uid || undefined,
  };
}

/** containerd gives the result in words of its own, CRI-O the plugin's answer as an annotation. */
function cniResultOf(detail: Json, spec: Json): Json {
  const annotation = objectIn(spec.annotations)['io.kubernetes.cri-o.CNIResult'];
  return typeof annotation === 'string' ? parseObject(annotation) : objectIn(detail.cniResult);
}

function netnsPathOf(spec: Json): string | undefined {
  const namespaces = arrayIn(objectIn(spec.linux).namespaces).map(objectIn);
  const network = namespaces.find(({ type }) => type === 'network');
  return typeof network?.path === 'string' && network.path.startsWith('/') ? network.path : undefined;
}
