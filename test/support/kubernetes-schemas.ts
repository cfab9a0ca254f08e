import { PodMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1';
import { DaemonSet } from 'kubernetes-models/apps/v1';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1';
import { ClusterRole, ClusterRoleBinding } from 'kubernetes-models/rbac.authorization.k8s.io/v1';
import { ConfigMap, Namespace, Pod, Secret, ServiceAccount } from 'kubernetes-models/v1';

/** An object as it stands in a manifest. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Record<string, string>;
  };
  // biome-ignore lint/suspicious/noExplicitAny: of whatever kind; what it is was checked against its schema
  readonly [key: string]: any;
}

/**
 * What is wrong with an object by the JSON schemas of the Kubernetes API, and keys that they do not have. Empty where nothing is.
 * The schemas themselves let unknown keys pass; what a validator has not even looked at, it does not know.
 */
export function faultsOf(manifest: Manifest): string[] {
  const model = MODELS.find(
    ({ apiVersion, kind }) => apiVersion === manifest.apiVersion && kind === manifest.kind,
  );
  if (!model) return [`no schema for ${manifest.apiVersion} ${manifest.kind}`];
  const seen = new Seen();
  try {
    model.prototype.validate.call(seen.watch(manifest));
  } catch (error) {
    return [(error as Error).message];
  }
  return seen.unread(manifest, manifest.kind);
}

const MODELS = [
  ClusterRole,
  ClusterRoleBinding,
  ConfigMap,
  DaemonSet,
  Namespace,
  NetworkPolicy,
  Pod,
  PodMonitor,
  Secret,
  ServiceAccount,
];

/** Which keys of which objects were read. */
class Seen {
  readonly #keys = new Map<object, Set<string>>();

  watch<T extends object>(value: T): T {
    const keys = this.#keys.get(value) ?? new Set();
    this.#keys.set(value, keys);
    return new Proxy(value, {
      get: (target, key) => {
        keys.add(String(key));
        const below: unknown = Reflect.get(target, key);
        return typeof below === 'object' && below !== null ? this.watch(below) : below;
      },
    });
  }

  unread(value: unknown, path: string): string[] {
    if (typeof value !== 'object' || value === null) return [];
    const keys = this.#keys.get(value);
    // Not looked into at all: whatever it is may stand there.
    if (!keys?.size) return [];
    return Object.entries(value).flatMap(([key, below]) =>
      keys.has(key) ? this.unread(below, `${path}.${key}`) : [`${path} has no ${key}`],
    );
  }
}
