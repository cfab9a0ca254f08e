import { readFileSync } from 'node:fs';
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';
import type { NodeSighting } from '../../source.js';

/** The addresses of the network namespace that this process is in, and its cilium_host device. */
export function nodeHere(): NodeSighting {
  const devices = Object.entries(networkInterfaces());
  const host = devices.find(([name]) => name === HOST_DEVICE)?.[1];
  const others = devices.filter(([name]) => name !== HOST_DEVICE).flatMap(([, addresses]) => addresses ?? []);
  return {
    ips: ipsOf(others),
    hostDevice: host && { name: HOST_DEVICE, ifindex: readIfindex(HOST_DEVICE), ips: ipsOf(host) },
  };
}

const HOST_DEVICE = 'cilium_host';

/** Those that others can have as a peer. */
function ipsOf(addresses: readonly NetworkInterfaceInfo[]): string[] {
  return addresses
    .filter(({ internal, address }) => !internal && !address.startsWith('fe80:'))
    .map(({ address }) => address);
}

/** Where /sys is the one of another network namespace, it does not tell. */
function readIfindex(device: string): number | undefined {
  try {
    return Number(readFileSync(`/sys/class/net/${device}/ifindex`, 'utf8'));
  } catch {
    return undefined;
  }
}
