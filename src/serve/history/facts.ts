import type { Device, IncidentEvent, PodMember, TraceEvent } from '../../events.js';

/**
 * What readers choose events by. A member that is absent is none that the event is about: no filter on it keeps the event
 * away. One that is empty is unknown: no filter lets it through.
 */
export interface Facts {
  readonly kind: TraceEvent['kind'];
  readonly reasons?: readonly string[] | undefined;
  readonly devices?: readonly string[] | undefined;
  readonly netns?: number | undefined;
  readonly pods?: readonly PodOfEvent[] | undefined;
}

export type PodOfEvent = Pick<PodMember, 'namespace' | 'name' | 'labels'>;

/** The same for all drops of a flow, until its device or pod becomes another one. */
export function factsOfDrop(
  reason: string | undefined,
  { name, netns }: Pick<Device, 'name' | 'netns'>,
  pod: PodMember | undefined,
): Facts {
  return {
    kind: 'drop',
    reasons: reason === undefined ? [] : [reason],
    devices: name === undefined ? [] : [name],
    netns,
    pods: pod === undefined ? [] : [pod],
  };
}

export function factsOfEvent(event: TraceEvent): Facts {
  switch (event.kind) {
    case 'drop':
      return factsOfDrop(event.reason, event.device, event.pod);
    case 'incident':
      return factsOfIncident(event);
    case 'sysctl_change':
      return { kind: event.kind, netns: event.netns };
    // Everybody is told that something is missing, and what: no filter but one of kinds keeps that away.
    case 'lost':
    case 'start':
    case 'stop':
      return { kind: event.kind };
  }
}

/** Of very many pods or devices an incident names some only: it may be about the one that is asked for. */
function factsOfIncident(event: IncidentEvent): Facts {
  const { kind, reasons, devices, netns, pods = [] } = event;
  const arePodsCut = (event.pods_count ?? 0) > pods.length;
  return {
    kind,
    reasons,
    devices: event.devices_count > devices.length ? undefined : devices,
    netns,
    pods: arePodsCut ? undefined : pods.map(podOfPath),
  };
}

function podOfPath(path: string): PodOfEvent {
  const [namespace, name] = path.split('/');
  return { namespace, name };
}
