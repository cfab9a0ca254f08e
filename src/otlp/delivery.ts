import type { LogRecordExporter } from '@opentelemetry/sdk-logs';
import type { Rejection } from './sdk-log.js';

/** What has become of an export. */
export type Result = Parameters<Parameters<LogRecordExporter['export']>[1]>[0];

/** What has become of what the collector was sent. */
export class Delivery {
  /** Items of exports: log records, or points. */
  delivered = 0;
  lost = 0;
  /** Why it did not take the last; undefined once it took some again. */
  failure: string | undefined;
  /** Of the export whose result comes next. */
  #rejection: Rejection | undefined;
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

  /** Of the export whose result comes next some is not taken. */
  reject(rejection: Rejection): void {
    this.#rejection = rejection;
  }

  settle(result: Result, count: number): void {
    this.#open--;
    const rejection = this.#rejection;
    this.#rejection = undefined;
    const failure = result.code === SUCCESS ? rejection && wordsOf(rejection) : messageOf(result);
    const lost = result.code === SUCCESS ? Math.min(rejection?.count ?? 0, count) : count;
    this.lost += lost;
    this.delivered += count - lost;
    const isChange = (failure === undefined) !== (this.failure === undefined);
    this.failure = failure;
    if (isChange) this.#onChange(failure);
  }
}

function wordsOf({ count, why }: Rejection): string {
  return `${count} rejected: ${why}`;
}

function messageOf({ error }: Result): string {
  return error?.message ?? 'no reason given';
}

/** ExportResultCode.SUCCESS of @opentelemetry/core */
const SUCCESS = 0;
