import type { IncidentEvent } from '../events.js';
import { printable } from '../printable.js';

/** A pod, as Kubernetes finds it again. */
export interface EventPod {
  readonly namespace: string;
  readonly name: string;
  /** Without it `kubectl describe pod` does not show the event. */
  readonly uid: string;
}

/** The Event (core/v1) that tells what is behind the drops of a pod. */
export function podEvent(pod: EventPod, incident: IncidentEvent, nowMs: number): object {
  const { namespace, name, uid } = pod;
  const time = `${new Date(nowMs).toISOString().slice(0, 19)}Z`;
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `${name}.rpftrace-${incident.id}-${nowMs.toString(16)}`, namespace },
    involvedObject: { apiVersion: 'v1', kind: 'Pod', namespace, name, uid },
    reason: REASONS[incident.cause.kind],
    message: messageOf(incident),
    type: 'Warning',
    source: { component: 'rpftrace', host: incident.node },
    reportingComponent: 'rpftrace',
    reportingInstance: incident.node,
    firstTimestamp: time,
    lastTimestamp: time,
    count: 1,
  };
}

/** In 1024 bytes, which is what the server takes. */
function messageOf({ summary }: IncidentEvent): string {
  const bytes = Buffer.from(printable(summary));
  if (bytes.length <= MAX_MESSAGE) return bytes.toString('utf8');
  return `${bytes
    .subarray(0, MAX_MESSAGE - 3)
    .toString('utf8')
    .replace(/\ufffd$/, '')}…`;
}

/** Words in the manner of Kubernetes: what has happened, for people and for filters. */
const REASONS = {
  sysctl_change: 'SettingDropsPackets',
  route_change: 'RouteDropsPackets',
  unknown: 'SourceRefused',
} as const satisfies Record<IncidentEvent['cause']['kind'], string>;
const MAX_MESSAGE = 1024;
