import type { Workload } from '../../source.js';
import { listAt, textAt, textsAt, valueAt } from './object.js';

/**
 * What a pod belongs to, the way people name it: the Deployment, not its ReplicaSet. Told by the pod alone, so that nothing
 * more has to be asked for or allowed. Undefined for a pod of its own, and for one that kubelet made from a file.
 */
export function workloadOf(pod: unknown): Workload | undefined {
  const owner = listAt(pod, 'metadata', 'ownerReferences').find((one) => valueAt(one, 'controller') === true);
  const kind = textAt(owner, 'kind');
  const name = textAt(owner, 'name');
  if (kind === undefined || name === undefined || kind === 'Node') return undefined;
  return parentOf(kind, name, pod) ?? { kind, name };
}

function parentOf(kind: string, name: string, pod: unknown): Workload | undefined {
  switch (kind) {
    case 'ReplicaSet':
      return parentOfReplicaSet(name, textsAt(pod, 'metadata', 'labels'));
    case 'ReplicationController':
      return named('DeploymentConfig', textAt(pod, 'metadata', 'annotations', DEPLOYMENT_CONFIG));
    case 'Job':
      return named(
        'CronJob',
        cronJobOf(name, Date.parse(textAt(pod, 'metadata', 'creationTimestamp') ?? '')),
      );
    default:
      return undefined;
  }
}

/**
 * A controller that makes ReplicaSets calls them NAME-HASH and labels their pods with the hash, pkg/controller/deployment/sync.go
 * v1.32. ReplicaSets that people make have no such label.
 */
function parentOfReplicaSet(name: string, labels: Record<string, string>): Workload | undefined {
  for (const [label, kind] of REPLICA_SET_MAKERS) {
    const end = `-${labels[label]}`;
    if (labels[label] && name.endsWith(end)) return named(kind, name.slice(0, -end.length));
  }
  return undefined;
}

const REPLICA_SET_MAKERS = [
  ['pod-template-hash', 'Deployment'],
  ['rollouts-pod-template-hash', 'Rollout'],
] as const;

const DEPLOYMENT_CONFIG = 'openshift.io/deployment-config.name';

/**
 * Jobs of a CronJob are called NAME-MINUTES, the minutes since 1970 that they were planned for, pkg/controller/cronjob/utils.go
 * v1.32. Somebody's own Job may end in eight digits too, hardly in those of its day.
 */
function cronJobOf(job: string, createdMs: number): string | undefined {
  const match = /^(.+)-(\d{8})$/.exec(job);
  if (!match) return undefined;
  const plannedMs = Number(match[2]) * 60_000;
  return Math.abs(createdMs - plannedMs) < DAY_MS ? match[1] : undefined;
}

const DAY_MS = 24 * 3600_000;

function named(kind: string, name: string | undefined): Workload | undefined {
  return name ? { kind, name } : undefined;
}
