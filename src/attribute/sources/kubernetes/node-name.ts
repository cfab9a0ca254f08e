import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { printable } from '../../../printable.js';
import { didYouMean } from '../../../suggest.js';
import type { KubernetesOptions } from '../kubernetes-options.js';
import type { ApiClient } from './client.js';
import type { Surroundings } from './credentials.js';
import { ApiFailure } from './failure.js';
import { listAt, textAt } from './object.js';

export interface NodeName {
  readonly name: string;
  /** False: nobody could be asked whether there is such a node. */
  readonly isVerified: boolean;
}

/**
 * The name that this node has in Kubernetes: --node, $NODE_NAME, the node of the own pod (in a pod the host's name is the
 * pod's), the node of the host's name, the node that is labelled with it.
 *
 * @throws {ApiFailure} 'missing' when the cluster has no such node, or whatever kept the server from answering.
 */
export async function findNodeName(
  client: ApiClient,
  { node }: KubernetesOptions,
  { env, serviceAccount }: Surroundings,
): Promise<NodeName> {
  const told = node ?? env.NODE_NAME;
  if (told) return verify(client, told);
  const host = hostname();
  const own = await nodeOfOwnPod(client, host, serviceAccount);
  if (own !== undefined) return { name: own, isVerified: true };
  return verify(client, host.toLowerCase());
}

async function verify(client: ApiClient, name: string): Promise<NodeName> {
  try {
    await client.getObject(`${NODES}/${encodeURIComponent(name)}`, 'get of nodes');
    return { name, isVerified: true };
  } catch (error) {
    if (!(error instanceof ApiFailure)) throw error;
    if (error.kind === 'forbidden') return { name, isVerified: false };
    if (error.kind !== 'missing') throw error;
  }
  return { name: await labelled(client, name), isVerified: true };
}

/** On some clouds a node has another name than its host. */
async function labelled(client: ApiClient, host: string): Promise<string> {
  const nodes = await names(client, { labelSelector: `kubernetes.io/hostname=${host}`, limit: '2' });
  if (nodes.length === 1) return nodes[0] as string;
  const others = await names(client, { limit: '100' });
  const hint = didYouMean(host, others);
  throw new ApiFailure('missing', printable(`the cluster has no node ${host}${hint}; give --node NAME`));
}

async function names(client: ApiClient, query: Record<string, string>): Promise<string[]> {
  try {
    const list = await client.getObject(NODES, 'list of nodes', query);
    return listAt(list, 'items').flatMap((node) => textAt(node, 'metadata', 'name') ?? []);
  } catch {
    return [];
  }
}

const NODES = '/api/v1/nodes';

/** Undefined when this is no pod, or it may not be asked. */
async function nodeOfOwnPod(
  client: ApiClient,
  host: string,
  serviceAccount: string,
): Promise<string | undefined> {
  const namespace = await readNamespace(serviceAccount);
  if (namespace === undefined) return undefined;
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods`;
  try {
    const list = await client.getObject(path, 'list of pods', { fieldSelector: `metadata.name=${host}` });
    return textAt(listAt(list, 'items')[0], 'spec', 'nodeName');
  } catch (error) {
    if (error instanceof ApiFailure && ['forbidden', 'missing'].includes(error.kind)) return undefined;
    throw error;
  }
}

async function readNamespace(serviceAccount: string): Promise<string | undefined> {
  try {
    return (await readFile(join(serviceAccount, 'namespace'), 'utf8')).trim() || undefined;
  } catch {
    return undefined;
  }
}
