import { BlockList, isIP } from 'node:net';
import type { Peer } from '../../events.js';
import type { Rivals } from './claims.js';
import { Pod } from './pod.js';
import type { PodIndex } from './pod-index.js';

/** Who is at an address; undefined where nobody knows. `local` is the pod of this node that has it. */
export function describePeer(index: PodIndex, ip: string, local: Pod | Rivals | undefined): Peer | undefined {
  if (local instanceof Pod) {
    const { namespace, name, workload } = local.facts;
    return { ip, kind: 'pod', namespace, name, workload };
  }
  if (local) return undefined;
  const { node, peers } = index;
  if (node.hostDevice?.ips.includes(ip)) return { ip, kind: 'cilium_host', name: node.name };
  const known = peers.find(ip);
  if (known) {
    const { kind, namespace, name, workload } = known;
    return { ip, kind, namespace, name, workload };
  }
  if (node.ips?.includes(ip)) return { ip, kind: 'node', name: node.name };
  return isExternal(index, ip) ? { ip, kind: 'external' } : undefined;
}

/** Nobody in the cluster has a public address that nobody tells of; a private one only where all are told. */
function isExternal({ node, peers }: PodIndex, ip: string): boolean {
  const family = isIP(ip) === 6 ? 'ipv6' : 'ipv4';
  if (NOBODYS.check(ip, family)) return false;
  if (!PRIVATE.check(ip, family)) return true;
  return peers.areServicesKnown && !isIn(node.podNetworks ?? [], ip, family);
}

function isIn(networks: readonly string[], ip: string, family: 'ipv4' | 'ipv6'): boolean {
  return blockListOf(networks).check(ip, family);
}

let lastNetworks: readonly string[] = [];
let lastList = new BlockList();

function blockListOf(networks: readonly string[]): BlockList {
  if (networks === lastNetworks) return lastList;
  lastNetworks = networks;
  lastList = listOf(networks);
  return lastList;
}

function listOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', bits = ''] = network.split('/');
    const family = isIP(address);
    const length = Number(bits || (family === 6 ? 128 : 32));
    if (family === 0 || !Number.isInteger(length) || length < 0 || length > (family === 6 ? 128 : 32))
      continue;
    list.addSubnet(address, length, family === 6 ? 'ipv6' : 'ipv4');
  }
  return list;
}

/** Loopback, link-local, multicast, broadcast: nobody's in particular. */
const NOBODYS = listOf([
  '0.0.0.0/8',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '224.0.0.0/3',
  '::/127',
  'fe80::/10',
  'ff00::/8',
]);
/** RFC 1918, RFC 6598, RFC 4193. */
const PRIVATE = listOf(['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7']);
