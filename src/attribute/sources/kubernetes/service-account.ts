import { readFile } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import { Connections } from './connections.js';
import type { AuthorizedRequest, Credentials, Surroundings } from './credentials.js';
import { ApiFailure } from './failure.js';

/**
 * What Kubernetes gives to each pod. kubelet renews the token before it runs out, by a new file: it is read for each request.
 * Undefined when this is no pod, or one without a service account.
 */
export async function openServiceAccount(
  folder: string,
  env: Surroundings['env'],
): Promise<Credentials | undefined> {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = env;
  if (!host || !port || (await readText(join(folder, 'token'))) === undefined) return undefined;
  const server = `https://${isIPv6(host) ? `[${host}]` : host}:${port}`;
  const connections = new Connections();
  return {
    at: `${server} (service account)`,
    authorize: () => authorize(server, folder, connections),
    forget: () => {},
    close: () => connections.close(),
  };
}

async function authorize(
  server: string,
  folder: string,
  connections: Connections,
): Promise<AuthorizedRequest> {
  const [token, ca] = await Promise.all([readText(join(folder, 'token')), readText(join(folder, 'ca.crt'))]);
  if (!token) throw new ApiFailure('credentials', `cannot read ${join(folder, 'token')}: is it mounted?`);
  if (!ca) throw new ApiFailure('credentials', `cannot read ${join(folder, 'ca.crt')}: is it mounted?`);
  return {
    server,
    options: { headers: { authorization: `Bearer ${token}` }, agent: connections.agentFor({ ca }) },
  };
}

/** Undefined when it cannot be read. */
async function readText(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch {
    return undefined;
  }
}
