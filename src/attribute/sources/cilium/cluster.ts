import { BlockList, isIPv4 } from 'node:net';
import type { NodeSighting, PeerSighting } from '../../source.js';
import { addressesIn, addressIn } from '../address.js';
import { arrayIn, type Json, objectIn, stringIn } from '../json.js';

/**
 * This node, as GET /v1/config tells it: the agent hands out the addresses of cilium_host as those of the node, and what it
 * was configured with by the names of its own variables (pkg/option/config.go).
 */
export function nodeOfConfig(config: unknown): NodeSighting {
  const { addressing, daemonConfigurationMap } = objectIn(objectIn(config).status);
  const families = familiesOf(addressing);
  const ips = addressesIn(families.map(({ ip }) => ip));
  return {
    routingMode: routingModeOf(objectIn(daemonConfigurationMap)),
    hostDevice: ips.length > 0 ? { name: 'cilium_host', ips } : undefined,
    podNetworks: families.flatMap((family) => stringIn(family['alloc-range']) ?? []),
  };
}

/** The nodes of the cluster and their cilium_host devices, as GET /v1/cluster/nodes tells them. */
export function peersOfNodes(answer: unknown): {
  readonly self: string | undefined;
  readonly peers: PeerSighting[];
} {
  const { self, 'nodes-added': nodes } = objectIn(answer);
  return {
    self: stringIn(self)?.split('/').at(-1),
    peers: arrayIn(nodes).slice(0, MAX_NODES).flatMap(peersOfNode),
  };
}

/** A pod elsewhere in the cluster, as GET /v1/ip tells it; undefined for what is no pod. */
export function peerOfAddress(entry: unknown): PeerSighting | undefined {
  const { cidr, metadata } = objectIn(entry);
  const { name, namespace } = objectIn(metadata);
  const ip = addressIn(cidr);
  if (ip === undefined || stringIn(name) === undefined || stringIn(namespace) === undefined) return undefined;
  return { key: `ip ${ip}`, kind: 'pod', ips: [ip], namespace: stringIn(namespace), name: stringIn(name) };
}

/** Kubernetes supports half of it. */
const MAX_NODES = 10_000;

/** Since 1.14 RoutingMode; before, Tunnel names the encapsulation. */
function routingModeOf({ RoutingMode: mode, Tunnel: tunnel }: Json): string | undefined {
  if (stringIn(mode) !== undefined) return stringIn(mode);
  if (stringIn(tunnel) === undefined) return undefined;
  return tunnel === 'disabled' ? 'native' : 'tunnel';
}

/** A node's name has its cluster before it where that is not the default one. */
function peersOfNode(element: unknown): PeerSighting[] {
  const node = objectIn(element);
  const name = stringIn(node.name);
  if (name === undefined) return [];
  const primary = familiesOf(node['primary-address']);
  const isOfPods = containment(primary.flatMap((family) => stringIn(family['alloc-range']) ?? []));
  const secondary = arrayIn(node['secondary-addresses']).map(objectIn);
  // Only some versions tell the type; cilium_host has an address of the node's pods.
  const isCiliumHost = (address: Json): boolean =>
    address['address-type'] === 'CiliumInternalIP' || isOfPods(addressIn(address.ip));
  const host = addressesIn(secondary.filter(isCiliumHost).map(({ ip }) => ip));
  const other = secondary.filter((address) => !isCiliumHost(address)).map(({ ip }) => ip);
  const ips = addressesIn([...primary.map(({ ip }) => ip), ...other]);
  const short = name.split('/').at(-1);
  return [
    ...(ips.length > 0 ? [{ key: `node ${name}`, kind: 'node' as const, ips, name: short }] : []),
    ...(host.length > 0
      ? [{ key: `cilium_host ${name}`, kind: 'cilium_host' as const, ips: host, name: short }]
      : []),
  ];
}

function familiesOf(addressing: unknown): Json[] {
  const { ipv4, ipv6 } = objectIn(addressing);
  return [objectIn(ipv4), objectIn(ipv6)];
}

function containment(networks: readonly string[]): (address: string | undefined) => boolean {
  const list = new BlockList();
  for (const network of networks) addNetwork(list, network);
  return (address) => address !== undefined && list.check(address, familyOf(address));
}

/** What is no network is passed over. */
function addNetwork(list: BlockList, network: string): void {
  const [address = '', length] = network.split('/');
  try {
    list.addSubnet(address, Number(length), familyOf(address));
  } catch {
    // it contains nothing then
  }
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIPv4(address) ? 'ipv4' : 'ipv6';
}
