import { existsSync } from 'node:fs';
import type { RequestOptions } from 'node:https';
import { delimiter, join } from 'node:path';
import type { KubeConfig } from '@kubernetes/client-node';
import { printable } from '../../../printable.js';
import { didYouMean } from '../../../suggest.js';
import { Connections, type TlsOptions } from './connections.js';
import type { AuthorizedRequest, Credentials, Surroundings } from './credentials.js';
import { boundPlugins } from './exec-plugin.js';
import { ApiFailure } from './failure.js';

/** Files that were asked for, and the one that is used when nothing else is there. */
export function findKubeconfig(
  option: string | undefined,
  env: Surroundings['env'],
): { told: readonly string[]; fallback: string | undefined } {
  const told = option === undefined ? (env.KUBECONFIG ?? '').split(delimiter).filter(Boolean) : [option];
  const usual = env.HOME ? join(env.HOME, '.kube', 'config') : undefined;
  return { told, fallback: usual !== undefined && existsSync(usual) ? usual : undefined };
}

/**
 * Reads kubeconfig files as kubectl does: several are put together, of two of one name the first counts.
 *
 * @throws {ApiFailure} 'credentials', with what to change.
 */
export async function openKubeconfig(
  files: readonly string[],
  context: string | undefined,
): Promise<Credentials> {
  // The whole of @kubernetes/client-node takes 70 MB of memory; what its KubeConfig needs, bundled, takes 14.
  const library = await import('@kubernetes/client-node/dist/config.js');
  let config: KubeConfig | undefined = readFiles(library.KubeConfig, files, context);
  const connections = new Connections();
  let running: Promise<AuthorizedRequest> | undefined;
  const madeOf = new WeakMap<AuthorizedRequest, KubeConfig>();
  return {
    at: placeOf(config, files),
    namespace: config.getContextObject(config.getCurrentContext())?.namespace,
    // All who ask while a plugin runs get what it gives: it may be a login.
    authorize: async () => {
      config ??= readFiles(library.KubeConfig, files, context);
      const from = config;
      const work = running ?? authorize(from, connections);
      running = work;
      try {
        const authorized = await work;
        madeOf.set(authorized, from);
        return authorized;
      } finally {
        if (running === work) running = undefined;
      }
    },
    // Of a thousand connections each is refused once, some when there is a new token already.
    forget: (used) => {
      const isCurrent = used === undefined || madeOf.get(used) === config;
      if (isCurrent && running === undefined) config = undefined;
    },
    close: () => connections.close(),
  };
}

function readFiles(
  Config: typeof KubeConfig,
  files: readonly string[],
  context: string | undefined,
): KubeConfig {
  const there = files.filter((file) => existsSync(file));
  if (there.length === 0)
    throw new ApiFailure('credentials', `there is no file ${printable(files.join(', '))}`);
  const config = new Config();
  for (const file of there) merge(config, readFile(new Config(), file));
  boundPlugins(config);
  if (context !== undefined) config.setCurrentContext(context);
  checkContext(config, there);
  checkProvider(config);
  return config;
}

function readFile(config: KubeConfig, file: string): KubeConfig {
  try {
    config.loadFromFile(file);
    return config;
  } catch (error) {
    throw new ApiFailure('credentials', `${printable(file)} is no kubeconfig${placeIn(error)}`);
  }
}

/** A parser shows the text that it stumbled over, which may be a key. Its line tells enough. */
function placeIn(error: unknown): string {
  const { code, mark } = error as { code?: unknown; mark?: { line?: unknown } };
  if (code === 'EACCES') return ': permission denied';
  if (code === 'EISDIR') return ': it is a folder';
  return typeof mark?.line === 'number' ? `: line ${mark.line + 1} is no YAML` : '';
}

/** The library takes the first of one name. */
function merge(whole: KubeConfig, part: KubeConfig): void {
  whole.loadFromOptions({
    clusters: [...whole.clusters, ...part.clusters],
    users: [...whole.users, ...part.users],
    contexts: [...whole.contexts, ...part.contexts],
    currentContext: whole.currentContext || part.currentContext,
  });
}

function checkContext(config: KubeConfig, files: readonly string[]): void {
  const where = printable(files.join(', '));
  const name = config.getCurrentContext();
  const names = config.getContexts().map((context) => context.name);
  if (!name) throw new ApiFailure('credentials', `${where} has no current context: give --context`);
  if (!names.includes(name)) {
    const hint = didYouMean(name, names);
    throw new ApiFailure('credentials', `${where} has no context ${printable(name)}${printable(hint)}`);
  }
  const server = config.getCurrentCluster()?.server ?? '';
  if (!URL.canParse(server) || !/^https?:$/.test(new URL(server).protocol)) {
    throw new ApiFailure(
      'credentials',
      `context ${printable(name)} of ${where} names no cluster with a server`,
    );
  }
}

/** The library runs their programs without letting anything else run meanwhile. kubectl has dropped them with 1.26. */
function checkProvider(config: KubeConfig): void {
  const name = config.getCurrentUser()?.authProvider?.name;
  if (name !== 'gcp' && name !== 'azure') return;
  throw new ApiFailure(
    'credentials',
    `the auth provider ${name} of the kubeconfig is not used: take its exec plugin`,
  );
}

/** A server's URL may carry a password. */
function placeOf(config: KubeConfig, files: readonly string[]): string {
  const { protocol, host } = new URL(config.getCurrentCluster()?.server ?? '');
  return printable(`${protocol}//${host} (context ${config.getCurrentContext()} of ${files.join(', ')})`);
}

/** Runs the plugin that the kubeconfig names, refreshes what has run out, reads certificates and keys again. */
async function authorize(config: KubeConfig, connections: Connections): Promise<AuthorizedRequest> {
  const { server = '', proxyUrl } = config.getCurrentCluster() ?? {};
  const options: RequestOptions = { headers: {} };
  try {
    await config.applyToHTTPSOptions(options);
  } catch (error) {
    throw new ApiFailure('credentials', whyNot(config, error));
  }
  const { auth, headers } = options;
  // The library makes an agent for each request; it is needed only for what is no plain TLS.
  const isPlain = server.startsWith('https:') && !proxyUrl;
  const agent = isPlain ? connections.agentFor(tlsOptionsOf(options)) : options.agent;
  return { server, options: { agent, auth: auth ?? undefined, headers } };
}

function tlsOptionsOf({ ca, cert, key, servername, rejectUnauthorized }: RequestOptions): TlsOptions {
  const options = { ca, cert, key, servername, rejectUnauthorized };
  // One that is undefined is not the same as one that is not there.
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** What a plugin or a library says may contain what it was to keep secret. */
function whyNot(config: KubeConfig, error: unknown): string {
  const user = config.getCurrentUser();
  const { code, path } = error as { code?: unknown; path?: unknown };
  const command: unknown = user?.exec?.command;
  if (typeof command === 'string')
    return `the plugin ${printable(command)} of the kubeconfig gave no credentials: run it by hand`;
  if (code === 'ENOENT' && typeof path === 'string') return `cannot read ${printable(path)}`;
  if (config.getCurrentCluster()?.server.startsWith('http:')) {
    return 'the server is http://: that is taken only with insecure-skip-tls-verify: true';
  }
  return 'the credentials of the kubeconfig cannot be used: try kubectl with them';
}
