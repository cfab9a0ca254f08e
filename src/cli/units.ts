import { InvalidArgumentError } from 'commander';
import { bytesOf } from '../units.js';

/** "500ms", "10s", "2m", "1h" or seconds as a number: milliseconds. */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text);
  const unit = DURATIONS[(match?.[2] ?? 's') as keyof typeof DURATIONS];
  const ms = Number(match?.[1]) * unit;
  if (!match || ms < 1) throw new InvalidArgumentError('It is a time like 500ms, 10s, 2m or 1h.');
  if (ms > LONGEST_MS) throw new InvalidArgumentError('The longest that a timer can wait is 24 days.');
  return ms;
}

/** "4096", "64k", "100M" or "1G": bytes. */
export function parseSize(text: string): number {
  const bytes = bytesOf(text);
  if (bytes === undefined) throw new InvalidArgumentError('It is a size like 4096, 64k, 100M or 1G.');
  return bytes;
}

/** A parser of whole numbers from `min` to `max`. */
export function parseInteger(min: number, max: number = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    const upTo = max === Number.MAX_SAFE_INTEGER ? ` from ${min} on` : ` from ${min} to ${max}`;
    throw new InvalidArgumentError(`It is a whole number${upTo}.`);
  };
}

const DURATIONS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
/** setTimeout takes 31 bits. */
const LONGEST_MS = 0x7fff_ffff;
