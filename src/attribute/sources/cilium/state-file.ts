import type { PodSighting } from '../../source.js';
import { addressesIn } from '../address.js';
import { countIn, objectIn, parseObject, stringIn } from '../json.js';

/**
 * The pod in a state file of the Cilium agent: serializableEndpoint of pkg/endpoint/restore.go, which Cilium keeps stable. In
 * ep_config.json as it is; in ep_config.h in the comment line "CILIUM_BASE64_<version>:<base64>". undefined for an endpoint
 * that is no pod; throws for a file that cannot be read, such as one that is being written.
 */
export function podOfStateFile(text: string): PodSighting | undefined {
  const endpoint = parseObject(jsonIn(text));
  const endpointId = countIn(endpoint.ID);
  if (endpointId === undefined) throw new Error('no endpoint in it');
  const name = stringIn(endpoint.K8sPodName);
  if (name === undefined) return undefined;
  const container = stringIn(endpoint.dockerID);
  return {
    key: String(endpointId),
    namespace: stringIn(endpoint.K8sNamespace),
    name,
    uid: stringIn(endpoint.K8sUID),
    interfaces: [
      {
        ips: addressesIn([endpoint.IPv4, endpoint.IPv6]),
        hostDevice: stringIn(endpoint.IfName),
        hostIfindex: countIn(endpoint.IfIndex),
        podDevice: stringIn(endpoint.ContainerIfName),
      },
    ],
    containers: container === undefined ? undefined : [{ id: container }],
    cilium: { endpointId, identity: countIn(objectIn(endpoint.SecLabel).id) },
  };
}

function jsonIn(text: string): string {
  if (text.trimStart().startsWith('{')) return text;
  const base64 = /CILIUM_BASE64_[^:\n]*:([A-Za-z0-9+/=]+)/.exec(text)?.[1];
  return base64 === undefined ? '' : Buffer.from(base64, 'base64').toString('utf8');
}
