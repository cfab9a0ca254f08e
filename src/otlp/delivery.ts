import type { LogRecordExporter } from '@opentelemetry/sdk-logs';

/** What has become of an export. */
export type Result = Parameters<Parameters<LogRecordExporter['export']>[1]>[0];

/** Whether the collector takes what it is sent. */
export class Delivery {
  /** Why it did not take the last; undefined once it took some again. */
  failure: string | undefined;
  /** It has not answered yet. */
  isWaiting = false;
  readonly #onChange: (failure: string | undefined) => void;

  /** `onChange` is told when it stops taking anything, and when it takes some again. */
  constructor(onChange: (failure: string | undefined) => void) {
    this.#onChange = onChange;
  }

  begin(): void {
    this.isWaiting = true;
  }

  /** Returns whether it was delivered. */
  settle({ code, error }: Result): boolean {
    this.isWaiting = false;
    const failure = code === SUCCESS ? undefined : (error?.message ?? 'no reason given');
    const isChange = (failure === undefined) !== (this.failure === undefined);
    this.failure = failure;
    if (isChange) this.#onChange(failure);
    return failure === undefined;
  }
}

/** ExportResultCode.SUCCESS of @opentelemetry/core */
const SUCCESS = 0;
