/** What a JSON value turned out to be, for those who cannot rely on it. */
export type Json = Readonly<Record<string, unknown>>;

/** Empty for everything that is no object. */
export function objectIn(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

/** Empty for everything that is no array. */
export function arrayIn(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** undefined for everything that is no string, and for an empty one. */
export function stringIn(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** undefined for everything that is no whole number above 0. */
export function countIn(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : undefined;
}

/** Empty for a text that is no JSON object. */
export function parseObject(text: string | undefined): Json {
  try {
    return objectIn(JSON.parse(text ?? ''));
  } catch {
    return {};
  }
}
