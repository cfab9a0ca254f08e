/**
 * Names one event for ever: the boot of the server that told it, and its number within, from 1 on without a gap. Number 0
 * stands for what is before all of them.
 */
export interface EventId {
  /** Milliseconds since 1970 when the server began, in base 36; a later boot has a greater one. */
  readonly epoch: string;
  readonly number: number;
}

/** "mf3k2a9x-1234" */
export function formatEventId({ epoch, number }: EventId): string {
  return `${epoch}-${number}`;
}

/** Undefined for what is none. */
export function parseEventId(text: string): EventId | undefined {
  const match = ID.exec(text);
  return match ? { epoch: match[1] as string, number: Number(match[2]) } : undefined;
}

/** An epoch for a server that begins now, greater than `last` even where the clock was set back. */
export function nextEpoch(nowMs: number, last: string | undefined): string {
  const lastMs = last === undefined ? -1 : Number.parseInt(last, 36);
  return Math.max(Math.trunc(nowMs), lastMs + 1)
    .toString(36)
    .padStart(EPOCH_DIGITS, '0');
}

/** Enough until the year 2059: texts of one length stand in the order of their numbers. */
const EPOCH_DIGITS = 8;
const ID = /^([0-9a-z]{8})-(0|[1-9]\d{0,14})$/;
