import type { LogRecordExporter, ReadableLogRecord } from '@opentelemetry/sdk-logs';
import type { Delivery, Result } from './delivery.js';

/** Tells what has become of every record that it was given. */
export class WatchedLogExporter implements LogRecordExporter {
  readonly #exporter: LogRecordExporter;
  readonly #delivery: Delivery;

  constructor(exporter: LogRecordExporter, delivery: Delivery) {
    this.#exporter = exporter;
    this.#delivery = delivery;
  }

  export(records: ReadableLogRecord[], onResult: (result: Result) => void): void {
    this.#delivery.begin();
    this.#exporter.export(records, (result) => {
      this.#delivery.settle(result, records.length);
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
