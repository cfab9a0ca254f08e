import { DiagLogLevel, diag } from '@opentelemetry/api';
import { printable } from '../printable.js';

/** What a receiver did not take of an export that it answered with success: `partial_success` of OTLP. */
export interface Rejection {
  /** Log records, or data points. */
  readonly count: number;
  readonly why: string;
}

export interface SdkListener {
  /** A setting of the environment that the SDK does not understand, a file that it cannot read, a warning of the receiver. Each once. */
  readonly onWarning: (text: string) => void;
  /** Told right before the result of the export that it is about. */
  readonly onRejectedLogs: (rejection: Rejection) => void;
  readonly onRejectedPoints: (rejection: Rejection) => void;
}

/** Hears what OpenTelemetry's SDK tells nothing but its log, of which a process has one: it is that of the last who asked. */
export function listenToSdk(listener: SdkListener): void {
  const told = new Set<string>();
  const warn = (text: string) => {
    if (told.has(text) || told.size === MAX_WARNINGS) return;
    told.add(text);
    listener.onWarning(printable(text.replace(PASSWORD, '//')));
  };
  const logger = {
    ...{ error: ignore, info: ignore, debug: ignore, verbose: ignore }, // errors are results of exports, too
    warn: (message: string, ...more: unknown[]) => {
      if (message !== PARTIAL_SUCCESS) warn([message, ...more].join(' '));
      else hearAnswer(String(more[0]), listener, warn);
    },
  };
  diag.setLogger(logger, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
}

/** ExportLogsPartialSuccess or ExportMetricsPartialSuccess; one that rejects nothing is a warning. */
function hearAnswer(json: string, listener: SdkListener, warn: (text: string) => void): void {
  const { rejectedLogRecords, rejectedDataPoints, errorMessage } = JSON.parse(json);
  const why = printable(errorMessage ?? 'no reason given');
  if (rejectedLogRecords > 0) listener.onRejectedLogs({ count: rejectedLogRecords, why });
  else if (rejectedDataPoints > 0) listener.onRejectedPoints({ count: rejectedDataPoints, why });
  else warn(`the receiver warns: ${why}`);
}

function ignore(): void {}

/** logging-response-handler.js of @opentelemetry/otlp-exporter-base 0.223 */
const PARTIAL_SUCCESS = 'Received Partial Success response:';
/** Of an URL. */
const PASSWORD = /\/\/[^/@\s]*@/g;
const MAX_WARNINGS = 16;
