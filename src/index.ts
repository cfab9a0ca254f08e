export { type ErrorCode, TracerError } from './errors.js';
export type {
  Device,
  DeviceRole,
  DropEvent,
  LostEvent,
  Packet,
  RpfMode,
  StartEvent,
  StopEvent,
  TraceEvent,
} from './events.js';
export { openTracer, type Tracer } from './tracer.js';
export type { TracerOptions } from './tracer-options.js';
