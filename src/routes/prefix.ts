/** An IPv4 prefix as it is compared. */
export interface Prefix {
  readonly network: number;
  readonly mask: number;
}

/** "10.244.3.0/24" */
export function parsePrefix(text: string): Prefix {
  const bits = bitsOf(text);
  const mask = bits === 0 ? 0 : -1 << (32 - bits);
  return { network: parseAddress(addressOf(text)) & mask, mask };
}

export function covers({ network, mask }: Prefix, address: number): boolean {
  return (address & mask) === network;
}

/** "10.244.3.136" as a signed integer; 0 for what is no IPv4 address. */
export function parseAddress(text: string): number {
  return text.split('.').reduce((sum, byte) => (sum << 8) | Number(byte), 0);
}

export function bitsOf(prefix: string): number {
  return Number(prefix.split('/')[1]);
}

/** Of an address with its prefix, "10.1.0.1/24", the address. */
export function addressOf(prefix: string): string {
  return prefix.split('/')[0] as string;
}
