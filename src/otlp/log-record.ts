import { type AnyValueMap, type LogRecord, SeverityNumber } from '@opentelemetry/api-logs';
import type { IncidentEvent, SysctlChangeEvent, TraceEvent, Writer } from '../events.js';
import { reasonText } from '../sink/drop-text.js';
import { eventText } from '../sink/event-text.js';
import { dropAttributes } from './drop-attributes.js';

/** An event as a log record: the body is one sentence, the attributes are what it is made of. */
export function logRecordOf(event: TraceEvent): LogRecord {
  return {
    eventName: EVENT_NAMES[event.kind],
    timestamp: hrTime(event.time),
    severityNumber: severityOf(event),
    body: event.kind === 'drop' ? (event.rpf?.explanation ?? reasonText(event)) : eventText(event),
    attributes: known(attributesOf(event)),
  };
}

function attributesOf(event: TraceEvent): AnyValueMap {
  switch (event.kind) {
    case 'drop':
      return dropAttributes(event);
    case 'incident':
      return incidentAttributes(event);
    case 'sysctl_change':
      return changeAttributes(event);
    case 'lost':
      return {
        'rpftrace.lost.where': event.where,
        'rpftrace.lost.count': event.count,
        'linux.skb.drop_reason': event.reason,
      };
    case 'start':
      return { 'rpftrace.degraded': event.degraded.map(({ feature }) => feature) };
    case 'stop':
      return {
        'rpftrace.drops.emitted': event.totals.emitted,
        'rpftrace.drops.lost': event.totals.lost,
        'rpftrace.reconciled': event.reconciled ?? undefined,
      };
  }
}

function incidentAttributes({ id, state, cause, drops, pods, devices, fix }: IncidentEvent): AnyValueMap {
  return {
    'rpftrace.incident.id': id,
    'rpftrace.incident.state': state,
    'rpftrace.incident.cause': cause.kind,
    'rpftrace.incident.drops': drops,
    'rpftrace.incident.pods': pods,
    'rpftrace.incident.devices': devices,
    'rpftrace.incident.fix': fix,
    'rpftrace.setting.name': cause.change?.name,
    ...writerAttributes(cause.change?.writer ?? cause.route?.writer),
  };
}

function changeAttributes(event: SysctlChangeEvent): AnyValueMap {
  return {
    'rpftrace.setting.name': event.name,
    'rpftrace.setting.old': event.old,
    'rpftrace.setting.new': event.new,
    'rpftrace.setting.outcome': event.outcome,
    'rpftrace.setting.netns': event.netns,
    ...writerAttributes(event.writer),
  };
}

/** Who did it. */
function writerAttributes(writer: Writer | undefined): AnyValueMap {
  if (writer === undefined) return {};
  return {
    'process.pid': writer.pid,
    'process.executable.name': writer.comm,
    'process.executable.path': writer.exe,
    'process.command_args': writer.cmdline,
    'container.id': writer.container_id,
    'rpftrace.process.systemd_unit': writer.systemd_unit,
  };
}

function severityOf(event: TraceEvent): SeverityNumber {
  if (event.kind === 'incident') return event.state === 'closed' ? SeverityNumber.INFO : SeverityNumber.ERROR;
  return event.kind === 'start' || event.kind === 'stop' ? SeverityNumber.INFO : SeverityNumber.WARN;
}

/** Seconds since 1970 and nanoseconds, of an RFC 3339 time with nanoseconds. */
export function hrTime(time: string): [number, number] {
  return [Date.parse(`${time.slice(0, 19)}Z`) / 1000, Number(time.slice(20, 29))];
}

function known(attributes: AnyValueMap): AnyValueMap {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined));
}

const EVENT_NAMES = {
  start: 'rpftrace.start',
  drop: 'linux.packet.drop',
  sysctl_change: 'rpftrace.sysctl_change',
  incident: 'rpftrace.incident',
  lost: 'rpftrace.lost',
  stop: 'rpftrace.stop',
} as const satisfies Record<TraceEvent['kind'], string>;
