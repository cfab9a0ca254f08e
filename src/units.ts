/** "4096", "64k", "100M" or "1G": bytes. Undefined for what is no size. */
export function bytesOf(text: string): number | undefined {
  const match = /^(\d+)([kMG])?(?:i?B)?$/i.exec(text);
  const bytes = Number(match?.[1]) * SIZES[(match?.[2]?.toLowerCase() ?? '') as keyof typeof SIZES];
  return match && bytes >= 1 && Number.isSafeInteger(bytes) ? bytes : undefined;
}

const SIZES = { '': 1, k: 1 << 10, m: 1 << 20, g: 1 << 30 };
