import { DiagLogLevel, diag } from '@opentelemetry/api';
import { printable } from '../printable.js';

export interface SdkListener {
  /** A setting of the environment that the SDK does not understand, a file that it cannot read, what a receiver rejects or warns of. Each once. */
  readonly onWarning: (text: string) => void;
  /** A receiver did not take so many log records of an export that it answered with success. Told right before the result of that export. */
  readonly onRejectedLogs: (count: number, why: string) => void;
}

/** Hears what OpenTelemetry's SDK tells nothing but its log, of which a process has one: it is that of the last who asked. */
export function listenToSdk(listener: SdkListener): void {
  const told = new Set<string>();
  const warn = (words: string) => {
    const text = safe(words.replace(PASSWORD, '//'));
    if (told.has(text) || told.size === MAX_WARNINGS) return;
    told.add(text);
    listener.onWarning(text);
  };
  const logger = {
    ...{ error: ignore, info: ignore, debug: ignore, verbose: ignore }, // errors are results of exports, too
    warn: (message: string, ...more: unknown[]) => {
      if (message !== PARTIAL_SUCCESS) warn([message, ...more].filter(isText).join(' '));
      else hearAnswer(String(more[0]), listener, warn);
    },
  };
  diag.setLogger(logger, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
}

/** ExportLogsPartialSuccess or ExportMetricsPartialSuccess; one that rejects nothing is a warning. */
function hearAnswer(json: string, listener: SdkListener, warn: (text: string) => void): void {
  const { rejectedLogRecords, rejectedDataPoints, errorMessage } = JSON.parse(json);
  const why = errorMessage || 'no reason given';
  const what =
    rejectedLogRecords > 0 ? 'rejects events' : rejectedDataPoints > 0 ? 'rejects counts' : 'warns';
  if (rejectedLogRecords > 0) listener.onRejectedLogs(rejectedLogRecords, `rejected: ${safe(why)}`);
  warn(`the receiver ${what}: ${why}`);
}

/** An answer that is none comes along as bytes: nobody knows what is in it. */
function isText(part: unknown): boolean {
  return typeof part === 'string' || part instanceof Error;
}

/** A receiver may say anything, as long as it likes. */
function safe(text: string): string {
  return printable(text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)}…` : text);
}

function ignore(): void {}

/** logging-response-handler.js of @opentelemetry/otlp-exporter-base 0.223 */
const PARTIAL_SUCCESS = 'Received Partial Success response:';
/** Of an URL. */
const PASSWORD = /\/\/[^/@\s]*@/g;
const MAX_WARNINGS = 16;
const MAX_LENGTH = 300;
