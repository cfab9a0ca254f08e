import type { LogRecordExporter } from '@opentelemetry/sdk-logs';

/** What has become of an export. */
export type Result = Parameters<Parameters<LogRecordExporter['export']>[1]>[0];

/** Whether the collector takes what it is sent. */
export class Delivery {
  /** Why it did not take the last; undefined once it took some again. */
  failure: string | undefined;
  /** Exports that it has not answered yet: the next may begin when one took too long. */
  #open = 0;
  readonly #onChange: (failure: string | undefined) => void;

  /** `onChange` is told when it stops taking anything, and when it takes some again. */
  constructor(onChange: (failure: string | undefined) => void) {
    this.#onChange = onChange;
  }

  /** It has not answered yet. */
  get isWaiting(): boolean {
    return this.#open > 0;
  }

  begin(): void {
    this.#open++;
  }

  settle(result: Result): void {
    this.#open--;
    const failure = isTaken(result) ? undefined : (result.error?.message ?? 'no reason given');
    const isChange = (failure === undefined) !== (this.failure === undefined);
    this.failure = failure;
    if (isChange) this.#onChange(failure);
  }
}

/** ExportResultCode.SUCCESS of @opentelemetry/core */
export function isTaken({ code }: Result): boolean {
  return code === 0;
}
