import type { LogRecordExporter, ReadableLogRecord } from '@opentelemetry/sdk-logs';

type Result = Parameters<Parameters<LogRecordExporter['export']>[1]>[0];

/** Knows what has become of every record that it was given. */
export class CountingExporter implements LogRecordExporter {
  delivered = 0;
  lost = 0;
  /** Why the last ones were lost; undefined once some were delivered again. */
  failure: string | undefined;
  readonly #exporter: LogRecordExporter;

  constructor(exporter: LogRecordExporter) {
    this.#exporter = exporter;
  }

  export(records: ReadableLogRecord[], onResult: (result: Result) => void): void {
    this.#exporter.export(records, (result) => {
      const isDelivered = result.code === SUCCESS;
      this[isDelivered ? 'delivered' : 'lost'] += records.length;
      this.failure = isDelivered ? undefined : (result.error?.message ?? 'no reason given');
      onResult(result);
    });
  }

  async forceFlush(): Promise<void> {
    await this.#exporter.forceFlush?.();
  }

  shutdown(): Promise<void> {
    return this.#exporter.shutdown();
  }
}

/** ExportResultCode.SUCCESS of @opentelemetry/core */
const SUCCESS = 0;
