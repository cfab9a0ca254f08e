import { isIP } from 'node:net';
import { stringIn } from './json.js';

/** An address with or without a prefix length, without it; undefined for what is none. */
export function addressIn(value: unknown): string | undefined {
  const address = stringIn(value)?.split('/')[0] ?? '';
  return isIP(address) === 0 ? undefined : address;
}

/** Those of these that are addresses. */
export function addressesIn(values: readonly unknown[]): string[] {
  return values.flatMap((value) => addressIn(value) ?? []);
}
