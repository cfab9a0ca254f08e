import type { PeerSighting } from '../../source.js';
import { addressesOf, listAt, textAt, textsAt, valueAt } from './object.js';

/** Whether an address is one of a node's own. Undefined when the nodes are not known. */
export type IsNodeAddress = (ip: string) => boolean | undefined;

/**
 * A service under its cluster addresses, and under those that it has outside: these count only as long as no node has them
 * too (a node's address is the node's), so nodes have to be known.
 */
export function servicePeers(service: unknown, isNodeAddress: IsNodeAddress): PeerSighting[] {
  const { namespace, name } = nameOf(service);
  if (namespace === undefined || name === undefined) return [];
  const inside = addressesOf([
    textAt(service, 'spec', 'clusterIP'),
    ...listAt(service, 'spec', 'clusterIPs'),
  ]);
  const outside = addressesOf([
    ...listAt(service, 'spec', 'externalIPs'),
    ...listAt(service, 'status', 'loadBalancer', 'ingress').map((entry) => textAt(entry, 'ip')),
  ]).filter((ip) => isNodeAddress(ip) === false);
  const ips = [...new Set([...inside, ...outside])];
  return ips.length === 0
    ? []
    : [{ key: `service/${namespace}/${name}`, kind: 'service', ips, namespace, name }];
}

/**
 * The pods behind a service, on other nodes too, without asking for all pods of the cluster. One that has its node's
 * network has no address of its own. What is behind a service and is no pod goes by the service's name.
 */
export function slicePeers(slice: unknown, ownNode: string, isNodeAddress: IsNodeAddress): PeerSighting[] {
  const { namespace } = nameOf(slice);
  const service = textAt(slice, 'metadata', 'labels', 'kubernetes.io/service-name');
  if (namespace === undefined) return [];
  return listAt(slice, 'endpoints').flatMap((endpoint): PeerSighting[] => {
    // Pods of this node are known by more than their addresses.
    if (textAt(endpoint, 'nodeName') === ownNode) return [];
    const target = valueAt(endpoint, 'targetRef');
    const isPod = textAt(target, 'kind') === 'Pod';
    const name = isPod ? textAt(target, 'name') : service;
    const kind = isPod ? 'pod' : 'service';
    if (name === undefined) return [];
    return addressesOf(listAt(endpoint, 'addresses'))
      .filter((ip) => isNodeAddress(ip) === false)
      .map((ip) => ({ key: `${kind}/${namespace}/${name}/${ip}`, kind, ips: [ip], namespace, name }));
  });
}

/** What a node says of itself, as Node or as CiliumNode. */
export interface NodeFacts {
  readonly name: string;
  readonly ips: readonly string[];
  /** Of its cilium_host. */
  readonly hostIps: readonly string[];
  readonly podNetworks: readonly unknown[];
}

export function nodeFacts(node: unknown): NodeFacts | undefined {
  const { name } = nameOf(node);
  if (name === undefined) return undefined;
  const annotations = textsAt(node, 'metadata', 'annotations');
  const addresses = listAt(node, 'status', 'addresses').filter((entry) =>
    ['InternalIP', 'ExternalIP'].includes(textAt(entry, 'type') ?? ''),
  );
  return {
    name,
    ips: addressesOf(addresses.map((entry) => textAt(entry, 'address'))),
    hostIps: addressesOf(CILIUM_HOST.map((annotation) => annotations[annotation])),
    podNetworks: [...listAt(node, 'spec', 'podCIDRs'), textAt(node, 'spec', 'podCIDR')],
  };
}

/** The second pair is their old names. */
const CILIUM_HOST = [
  'network.cilium.io/ipv4-cilium-host',
  'network.cilium.io/ipv6-cilium-host',
  'io.cilium.network.ipv4-cilium-host',
  'io.cilium.network.ipv6-cilium-host',
];

export function ciliumNodeFacts(node: unknown): NodeFacts | undefined {
  const { name } = nameOf(node);
  if (name === undefined) return undefined;
  const addresses = listAt(node, 'spec', 'addresses');
  const ofType = (...types: string[]) =>
    addressesOf(
      addresses.filter((one) => types.includes(textAt(one, 'type') ?? '')).map((one) => textAt(one, 'ip')),
    );
  return {
    name,
    ips: ofType('InternalIP', 'ExternalIP'),
    hostIps: ofType('CiliumInternalIP'),
    podNetworks: listAt(node, 'spec', 'ipam', 'podCIDRs'),
  };
}

function nameOf(object: unknown): { namespace: string | undefined; name: string | undefined } {
  return { namespace: textAt(object, 'metadata', 'namespace'), name: textAt(object, 'metadata', 'name') };
}
