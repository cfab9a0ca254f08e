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
export { openTracer, type Tracer, type TracerOptions } from './tracer.js';
