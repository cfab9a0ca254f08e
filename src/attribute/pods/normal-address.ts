import { isIP, SocketAddress } from 'node:net';

/** An address as events write it: IPv6 as RFC 5952 wants it; a prefix length is cut off. Undefined for what is none. */
export function normalAddress(text: string): string | undefined {
  const slash = text.indexOf('/');
  const address = slash < 0 ? text : text.slice(0, slash);
  const family = isIP(address);
  if (family === 4) return address;
  if (family !== 6 || address.includes('%')) return undefined;
  return new SocketAddress({ address, family: 'ipv6' }).address;
}
