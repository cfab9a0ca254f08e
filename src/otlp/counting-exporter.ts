import type { LogRecordExporter, ReadableLogRecord } from '@opentelemetry/sdk-logs';

type Result = Parameters<Parameters<LogRecordExporter['export']>[1]>[0];

/** Knows what has become of every record that it was given. */
export class CountingExporter implements LogRecordExporter {
  delivered = 0;
  lost = 0;
  /** Why the last ones were lost; undefined once some were delivered again. */
  failure: string | undefined;
  readonly #exporter: LogRecordExporter;
  readonly #onChange: (failure: string | undefined) => void;

  /** `onChange` is told when records begin to be lost, and when they are delivered again. */
  constructor(exporter: LogRecordExporter, onChange: (failure: string | undefined) => void) {
    this.#exporter = exporter;
    this.#onChange = onChange;
  }

  export(records: ReadableLogRecord[], onResult: (result: Result) => void): void {
    this.#exporter.export(records, (result) => {
      const isDelivered = result.code === SUCCESS;
      this[isDelivered ? 'delivered' : 'lost'] += records.length;
      this.#change(isDelivered ? undefined : (result.error?.message ?? 'no reason given'));
      onResult(result);
    });
  }

  async forceFlush(): Promise<void> {
    await this.#exporter.forceFlush?.();
  }

  shutdown(): Promise<void> {
    return this.#exporter.shutdown();
  }

  #change(failure: string | undefined): void {
    const isChange = (failure === undefined) !== (this.failure === undefined);
    this.failure = failure;
    if (isChange) this.#onChange(failure);
  }
}

/** ExportResultCode.SUCCESS of @opentelemetry/core */
const SUCCESS = 0;
