import { networkInterfaces } from 'node:os';
import type { PodFacts } from '../attribute/pods/pod.js';
import { type LabelMatcher, parseSelector } from '../attribute/selector.js';
import type { Source } from '../attribute/source.js';
import { TracerError } from '../errors.js';
import type { StartEvent } from '../events.js';
import type { NativePodKeys } from '../native.js';
import { printable } from '../printable.js';

/** Which pods' drops are wanted. All that are given must match; of several of one kind one is enough. */
export interface PodFilterSpec {
  readonly namespaces?: readonly string[] | undefined;
  /** NAMESPACE/NAME, or NAME alone in any namespace. */
  readonly pods?: readonly string[] | undefined;
  /** A label selector as kubectl takes it. */
  readonly selector?: string | undefined;
  /** Those of the pod that rpftrace runs in: by its own network namespace and addresses, nobody has to know the pod. */
  readonly thisPod?: boolean | undefined;
}

/** What of the pods is wanted, ready to be compared. */
export interface PodFilter {
  readonly described: Pick<StartEvent['filters'], 'namespaces' | 'pods' | 'selector' | 'this_pod'>;
  /** What the kernel compares, where that does not depend on anything that is still to be learned. */
  readonly fixed: NativePodKeys | undefined;
  /** Pods that are wanted by name. */
  readonly names: readonly PodName[];
  readonly wants: (pod: PodNames) => boolean;
}

/** What a pod is chosen by. */
export type PodNames = Pick<PodFacts, 'namespace' | 'name' | 'labels'>;

export interface PodName {
  readonly namespace: string | undefined;
  readonly name: string;
}

/** Undefined where nothing of it was asked for. Throws E_USAGE. */
export function resolvePodFilter(
  spec: PodFilterSpec,
  ownNetns: () => number | undefined,
): PodFilter | undefined {
  const { namespaces = [], pods = [], selector, thisPod } = spec;
  const others = namespaces.length > 0 || pods.length > 0 || selector !== undefined;
  if (thisPod) {
    if (others) throw usage('--this-pod goes with no --namespace, --pod or --selector: it is one pod');
    return { described: { this_pod: true }, fixed: ownKeys(ownNetns()), names: [], wants: () => true };
  }
  if (!others) return undefined;
  for (const namespace of namespaces) checkName(namespace, NAMESPACE, 'namespace');
  const names = pods.map(parsePod);
  const outside = names.find(
    ({ namespace }) => namespace && namespaces.length > 0 && !namespaces.includes(namespace),
  );
  if (outside)
    throw usage(`pod ${outside.namespace}/${outside.name} is in none of the namespaces that were given`);
  const matcher = selector === undefined ? undefined : parseSelector(selector);
  return {
    described: {
      ...(namespaces.length > 0 && { namespaces: [...namespaces] }),
      ...(pods.length > 0 && { pods: [...pods] }),
      ...(selector !== undefined && { selector }),
    },
    fixed: undefined,
    names,
    wants: (pod) => isWanted(pod, namespaces, names, matcher),
  };
}

/** Throws E_USAGE where nobody could ever say which pods are meant. */
export function checkPodSources(filter: PodFilter | undefined, sources: readonly Source[]): void {
  if (filter === undefined || filter.fixed || sources.some(({ state }) => state.state !== 'off')) return;
  throw usage('drops are filtered by pods, and every source that knows pods is switched off', [
    'leave out --no-cilium, --no-cri, --no-kubernetes or --no-processes',
  ]);
}

export function isNamed(pod: PodNames, { namespace, name }: PodName): boolean {
  return pod.name === name && (namespace === undefined || pod.namespace === namespace);
}

function isWanted(
  pod: PodNames,
  namespaces: readonly string[],
  names: readonly PodName[],
  matcher: LabelMatcher | undefined,
): boolean {
  const { namespace, labels } = pod;
  if (namespaces.length > 0 && (namespace === undefined || !namespaces.includes(namespace))) return false;
  if (names.length > 0 && !names.some((name) => isNamed(pod, name))) return false;
  return matcher === undefined || (labels !== undefined && matcher(labels));
}

function parsePod(text: string): PodName {
  const parts = text.split('/');
  const [first = '', second] = parts;
  if (parts.length > 2) throw usage(`${printable(text)} is not a pod: give NAMESPACE/NAME, or NAME`);
  if (second === undefined) return { namespace: undefined, name: checkName(first, NAME, 'pod') };
  return { namespace: checkName(first, NAMESPACE, 'namespace'), name: checkName(second, NAME, 'pod') };
}

function checkName(text: string, pattern: RegExp, what: string): string {
  if (pattern.test(text) && text.length <= MAX_NAME) return text;
  throw usage(`"${printable(text)}" is no name of a ${what}: letters a to z, digits and -`);
}

function ownKeys(netns: number | undefined): NativePodKeys {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const own = all.filter(({ internal, address }) => !internal && !address.startsWith('fe80:'));
  if (netns === undefined || own.length === 0) {
    throw usage('--this-pod: the network namespace of rpftrace has no address, so this is no pod', [
      'run it in a container of the pod: kubectl debug POD --image=... --target=CONTAINER',
      'or name the pod: --pod NAMESPACE/NAME',
    ]);
  }
  return { netns: [netns], addresses: own.map(({ address }) => address), devices: [], cgroups: [] };
}

function usage(message: string, remedies: string[] = []): TracerError {
  return new TracerError('E_USAGE', message, { remedies });
}

/** RFC 1123 label and subdomain, as the Kubernetes API checks them. */
const NAMESPACE = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const NAME = /^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/;
const MAX_NAME = 253;
