import { type Logger, type LogRecord, SeverityNumber } from '@opentelemetry/api-logs';
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-proto';
import type { Resource } from '@opentelemetry/resources';
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs';
import type { TraceEvent } from '../events.js';
import { VERSION } from '../version.js';
import { Delivery } from './delivery.js';
import { hrTime, logRecordOf } from './log-record.js';
import { watched } from './watched.js';

export interface OtlpLogsOptions {
  readonly url: string;
  readonly resource: Resource;
  /** The collector stopped taking events, and why; undefined: it takes them again. */
  readonly onChange: (failure: string | undefined) => void;
}

/** Events as log records for a collector. What it does not take is counted, and told to it once it takes some again. */
export class OtlpLogs {
  /** Events that did not reach the collector. */
  lost = 0;
  readonly #delivery: Delivery;
  readonly #provider: LoggerProvider;
  readonly #logger: Logger;
  /** Records on their way. */
  #waiting = 0;
  /** Of the export whose result comes next. */
  #rejected = 0;
  #toldLost = 0;

  constructor({ url, resource, onChange }: OtlpLogsOptions) {
    this.#delivery = new Delivery(onChange);
    const exporter = new OTLPLogExporter({ url, timeoutMillis: TIMEOUT_MS });
    const processor = new BatchLogRecordProcessor({
      exporter: watched(exporter, this.#delivery, (records: unknown[], isTaken) =>
        this.#count(records.length, isTaken),
      ),
      maxQueueSize: MAX_WAITING,
      maxExportBatchSize: BATCH,
      scheduledDelayMillis: DELAY_MS,
      exportTimeoutMillis: 2 * TIMEOUT_MS, // never before the exporter itself has given up
    });
    this.#provider = new LoggerProvider({ resource, processors: [processor] });
    this.#logger = this.#provider.getLogger('rpftrace', VERSION);
  }

  /** So many events of the export whose result comes next are not taken. */
  reject(count: number): void {
    this.#rejected = count;
  }

  get failure(): string | undefined {
    return this.#delivery.failure;
  }

  get hasRoom(): boolean {
    return this.#waiting < MAX_WAITING;
  }

  /** One that there is no room for. */
  lose(): void {
    this.lost++;
  }

  take(event: TraceEvent): void {
    if (!this.hasRoom) {
      this.lose();
      return;
    }
    if (this.lost > this.#toldLost && this.failure === undefined) this.#tellLost(event.time);
    this.#emit(logRecordOf(event));
  }

  /** Gives out the rest. */
  async end(): Promise<void> {
    await this.#provider.shutdown().catch(() => undefined);
  }

  /** What is not delivered now never will be. */
  settle(): void {
    this.lost += this.#waiting;
    this.#waiting = 0;
  }

  #count(records: number, isTaken: boolean): void {
    this.#waiting -= records;
    this.lost += isTaken ? Math.min(this.#rejected, records) : records;
    this.#rejected = 0;
  }

  #tellLost(time: string): void {
    const count = this.lost - this.#toldLost;
    this.#toldLost = this.lost;
    this.#emit({
      eventName: 'rpftrace.lost',
      timestamp: hrTime(time),
      severityNumber: SeverityNumber.WARN,
      body: `${count} events did not reach the collector`,
      attributes: { 'rpftrace.lost.where': 'otlp', 'rpftrace.lost.count': count },
    });
  }

  #emit(record: LogRecord): void {
    this.#waiting++;
    this.#logger.emit(record);
  }
}

/** Some 10 MB. */
const MAX_WAITING = 8192;
const BATCH = 512;
const DELAY_MS = 1000;
/** Of one batch, with the tries that the exporter makes. */
const TIMEOUT_MS = 10_000;
