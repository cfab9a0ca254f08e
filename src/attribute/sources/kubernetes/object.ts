import { isIP } from 'node:net';
import { normalAddress } from '../../pods/normal-address.js';

/** The value at a path of members, undefined where one is missing. Nothing that comes from a server is taken for granted. */
export function valueAt(value: unknown, ...path: readonly string[]): unknown {
  let found = value;
  for (const name of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, name)) return undefined;
    found = (found as Record<string, unknown>)[name];
  }
  return found;
}

/** A text that is not empty and no longer than names are in Kubernetes. */
export function textAt(value: unknown, ...path: readonly string[]): string | undefined {
  const text = valueAt(value, ...path);
  return typeof text === 'string' && text !== '' && text.length <= MAX_TEXT ? text : undefined;
}

export function listAt(value: unknown, ...path: readonly string[]): readonly unknown[] {
  const list = valueAt(value, ...path);
  return Array.isArray(list) ? list : [];
}

/** Labels or annotations: members that are texts. */
export function textsAt(value: unknown, ...path: readonly string[]): Record<string, string> {
  const found = valueAt(value, ...path);
  if (typeof found !== 'object' || found === null || Array.isArray(found)) return {};
  return Object.fromEntries(
    Object.entries(found).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

/** Addresses among the values, each once, written as the events write them. */
export function addressesOf(values: readonly unknown[]): string[] {
  return [...new Set(values.map(addressOf).filter((address) => address !== undefined))];
}

/** The address as RFC 5952 wants it; undefined for what is none. */
export function addressOf(value: unknown): string | undefined {
  return typeof value === 'string' ? normalAddress(value) : undefined;
}

/** Networks among the values: "10.244.3.0/24". */
export function networksOf(values: readonly unknown[]): string[] {
  return values.filter((value): value is string => {
    if (typeof value !== 'string') return false;
    const [address, length, ...more] = value.split('/');
    const family = isIP(address ?? '');
    return (
      family > 0 &&
      more.length === 0 &&
      /^\d{1,3}$/.test(length ?? '') &&
      Number(length) <= (family === 4 ? 32 : 128)
    );
  });
}

/** Names have 253 characters at most, and two of them with a slash make a few more. */
const MAX_TEXT = 512;
