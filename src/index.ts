export { type ErrorCode, TracerError } from './errors.js';
export type {
  CausingChange,
  Device,
  DeviceRole,
  DropEvent,
  IncidentEvent,
  LostEvent,
  Packet,
  RpfMode,
  StartEvent,
  StopEvent,
  SysctlChangeEvent,
  TraceEvent,
  Writer,
} from './events.js';
export { openTracer, type Tracer } from './tracer.js';
export type { TracerOptions } from './tracer-options.js';
