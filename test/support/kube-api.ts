import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { parseSelector } from '../../src/attribute/selector.js';
import type { Certificate } from './certificates.js';
import { PortForwards } from './port-forwards.js';

/** An object of the API; what a test leaves out, the server adds. */
export interface KubeObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly [member: string]: unknown;
  };
  readonly [member: string]: unknown;
}

export interface SeenRequest {
  readonly path: string;
  readonly method: string;
  readonly query: Readonly<Record<string, string>>;
  readonly authorization: string | undefined;
  /** Common name of the client's certificate. */
  readonly client: string | undefined;
}

/** Answers a request in place of the server. Returning false leaves it to the server. */
export type Fault = (request: SeenRequest, response: ServerResponse) => boolean | undefined;

interface Change {
  readonly version: number;
  readonly collection: string;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: Stored;
  readonly before: Stored | undefined;
}

interface Stored extends KubeObject {
  readonly metadata: KubeObject['metadata'] & { readonly uid: string; readonly resourceVersion: string };
}

interface Watcher {
  readonly collection: string;
  readonly request: SeenRequest;
  readonly response: ServerResponse;
  readonly bookmarks: boolean;
}

/**
 * Speaks list and watch as a kube-apiserver does, over HTTPS: versions, pages, bookmarks, selectors, what is too old, and who
 * is allowed what. Beside that it fails in each way that a test asks for.
 */
export class KubeApi {
  readonly requests: SeenRequest[] = [];
  /** Connections that were made. */
  connections = 0;
  /** The only one that is taken; any when undefined. */
  token: string | undefined;
  /** Paths of collections that are answered with 403. */
  readonly forbidden = new Set<string>();
  /** Collections that are there though they are empty. */
  readonly collections = new Set(KINDS.keys());
  /** How a watch from a version that is too old is told so: both are seen in the field. */
  tooOldIs: 'status' | 'event' = 'status';
  /** As long as it has an entry, it is asked first. */
  readonly faults: Fault[] = [];
  /** What listens in the pods. */
  readonly forwards = new PortForwards();
  readonly #server: Server;
  readonly #objects = new Map<string, Map<string, Stored>>();
  readonly #snapshots = new Map<string, readonly Stored[]>();
  readonly #watchers = new Set<Watcher>();
  readonly #sockets = new Set<Socket>();
  #changes: Change[] = [];
  #version = 1000;
  /** Of the last change that is forgotten. */
  #oldest = 0;
  #serial = 0;

  private constructor(certificate: Certificate, ca: string) {
    const options = { ...certificate, ca, requestCert: true, rejectUnauthorized: false };
    this.#server = createServer(options, (request, response) => this.#answer(request, response));
    this.#server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) =>
      this.#upgrade(request, socket, head),
    );
    this.#server.on('connection', (socket: Socket) => {
      this.connections++;
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  static async start(certificate: Certificate, ca: string, port = 0): Promise<KubeApi> {
    const api = new KubeApi(certificate, ca);
    await new Promise<void>((resolve) => api.#server.listen(port, '127.0.0.1', resolve));
    return api;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `https://127.0.0.1:${this.port}`;
  }

  get version(): number {
    return this.#version;
  }

  /** Of a collection, and connected now. */
  watchers(collection = PODS): number {
    return [...this.#watchers].filter((watcher) => watcher.collection === collection).length;
  }

  /** Creates or changes. */
  put(collection: string, object: KubeObject): void {
    const objects = this.#objects.get(collection) ?? new Map<string, Stored>();
    this.#objects.set(collection, objects);
    const key = keyOf(object);
    const before = objects.get(key);
    const uid = object.metadata.uid ?? before?.metadata.uid ?? `uid-${++this.#serial}`;
    const resourceVersion = String(++this.#version);
    const stored: Stored = { ...object, metadata: { ...object.metadata, uid, resourceVersion } };
    objects.set(key, stored);
    const type = before ? 'MODIFIED' : 'ADDED';
    this.#tell({ version: this.#version, collection, type, object: stored, before });
  }

  remove(collection: string, name: string, namespace?: string): void {
    const key = keyOf({ metadata: { name, ...(namespace === undefined ? {} : { namespace }) } });
    const before = this.#objects.get(collection)?.get(key);
    if (before === undefined) throw new Error(`no ${key} in ${collection}`);
    this.#objects.get(collection)?.delete(key);
    const metadata = { ...before.metadata, resourceVersion: String(++this.#version) };
    this.#tell({
      version: this.#version,
      collection,
      type: 'DELETED',
      object: { ...before, metadata },
      before,
    });
  }

  /** Forgets all changes and snapshots, as etcd does every five minutes. */
  compact(): void {
    this.#version++;
    this.#oldest = this.#version;
    this.#changes = [];
    this.#snapshots.clear();
  }

  sendBookmarks(): void {
    for (const { bookmarks, collection, response } of this.#watchers) {
      const { kind, apiVersion } = kindOf(collection);
      const metadata = { resourceVersion: String(this.#version) };
      if (bookmarks) writeEvent(response, 'BOOKMARK', { kind, apiVersion, metadata });
    }
  }

  /** Ends all watches as a server does after timeoutSeconds. */
  endWatches(): void {
    for (const { response } of this.#watchers) response.end();
  }

  /** Tells in the stream that what was asked for is too old. */
  expireWatches(): void {
    for (const { response } of this.#watchers) response.end(`${JSON.stringify(TOO_OLD_EVENT)}\n`);
  }

  /** Sends bytes as they are to all who watch. */
  sendRaw(bytes: string): void {
    for (const { response } of this.#watchers) response.write(bytes);
  }

  /** Cuts all connections. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Serves with another certificate from now on. */
  useCertificate(certificate: Certificate): void {
    this.#server.setSecureContext(certificate);
  }

  async stop(): Promise<void> {
    this.forwards.stop();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.cut();
    await closed;
  }

  #tell(change: Change): void {
    this.#changes.push(change);
    if (this.#changes.length > MAX_CHANGES) this.#oldest = (this.#changes.shift() as Change).version;
    for (const watcher of this.#watchers) sendChange(watcher, change);
  }

  #see(request: IncomingMessage): SeenRequest {
    const url = new URL(request.url ?? '/', this.url);
    const seen: SeenRequest = {
      path: decodeURIComponent(url.pathname),
      method: request.method ?? 'GET',
      query: Object.fromEntries(url.searchParams),
      authorization: request.headers.authorization,
      client: (request.socket as TLSSocket).getPeerCertificate()?.subject?.CN as string | undefined,
    };
    this.requests.push(seen);
    return seen;
  }

  /** A port-forward; it needs a pod that is there, and runs. */
  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const seen = this.#see(request);
    const [, key = ''] = /^\/api\/v1\/namespaces\/([^/]+\/pods\/[^/]+)\/portforward$/.exec(seen.path) ?? [];
    const name = key.replace('/pods/', '/');
    const pod = this.#objects.get(PODS)?.get(name);
    if (this.token !== undefined && seen.authorization !== `Bearer ${this.token}`) refuse(socket, 401);
    else if (this.forbidden.has(PORT_FORWARD)) refuse(socket, 403);
    else if (pod === undefined) refuse(socket, 404);
    else if ((pod.status as { phase?: string } | undefined)?.phase !== 'Running') refuse(socket, 400);
    else this.forwards.accept(`${name}:${seen.query.ports}`, request, socket, head);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const seen = this.#see(request);
    response.on('error', () => {});
    const [fault] = this.faults;
    if (fault?.(seen, response)) return;
    if (this.token !== undefined && seen.authorization !== `Bearer ${this.token}`) {
      sendStatus(response, 401, 'Unauthorized');
      return;
    }
    if (seen.method === 'POST') this.#create(seen, request, response);
    else this.#serve(seen, response);
  }

  /** What was created in a collection, the oldest first. */
  created(collection: string): readonly KubeObject[] {
    return [...(this.#objects.get(collection)?.values() ?? [])];
  }

  /** A namespaced object, as the server checks it: it has to say what it is, and be where it says. */
  async #create(seen: SeenRequest, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const object = JSON.parse(Buffer.concat(pieces).toString('utf8')) as KubeObject;
    const { collection, namespace } = this.#locate(seen.path);
    const { kind, apiVersion } = kindOf(collection ?? '');
    if (collection === undefined || request.headers['content-type'] !== 'application/json')
      sendStatus(response, 404, 'NotFound');
    else if (this.forbidden.has(collection)) sendStatus(response, 403, 'Forbidden');
    else if (
      object.kind !== kind ||
      object.apiVersion !== apiVersion ||
      object.metadata.namespace !== namespace
    )
      sendStatus(response, 400, 'BadRequest');
    else if (this.#objects.get(collection)?.has(keyOf(object))) sendStatus(response, 409, 'AlreadyExists');
    else {
      this.put(collection, object);
      sendJson(response, 201, object);
    }
  }

  #serve(request: SeenRequest, response: ServerResponse): void {
    const { collection, name, namespace } = this.#locate(request.path);
    if (collection === undefined) {
      sendStatus(response, 404, 'NotFound');
      return;
    }
    if (this.forbidden.has(collection)) {
      sendStatus(response, 403, 'Forbidden');
      return;
    }
    if (name !== undefined) {
      this.#get(response, collection, name, namespace);
      return;
    }
    if (request.query.watch === 'true') {
      this.#watch(request, response, collection);
      return;
    }
    this.#list(request, response, collection, namespace);
  }

  /** "/api/v1/nodes/NAME", "/api/v1/namespaces/NS/pods", the same with "/NAME", or a collection itself. */
  #locate(path: string): { collection?: string; name?: string; namespace?: string } {
    if (this.collections.has(path)) return { collection: path };
    const [, prefix, namespace, plural, name] =
      /^(.*)\/namespaces\/([^/]+)\/([^/]+)(?:\/([^/]+))?$/.exec(path) ?? [];
    const inNamespace = `${prefix}/${plural}`;
    if (namespace !== undefined && this.collections.has(inNamespace))
      return { collection: inNamespace, namespace, ...(name !== undefined && { name }) };
    const parent = path.slice(0, path.lastIndexOf('/'));
    return this.collections.has(parent) ? { collection: parent, name: path.slice(parent.length + 1) } : {};
  }

  #get(response: ServerResponse, collection: string, name: string, namespace: string | undefined): void {
    const metadata = { name, ...(namespace !== undefined && { namespace }) };
    const object = this.#objects.get(collection)?.get(keyOf({ metadata }));
    if (object === undefined) {
      sendStatus(response, 404, 'NotFound');
      return;
    }
    sendJson(response, 200, { ...kindOf(collection), ...object });
  }

  #list(request: SeenRequest, response: ServerResponse, collection: string, namespace?: string): void {
    const { query } = request;
    if (
      query.resourceVersionMatch !== undefined &&
      (query.continue !== undefined || !query.resourceVersion)
    ) {
      sendStatus(response, 400, 'BadRequest');
      return;
    }
    const at = query.continue === undefined ? undefined : readContinue(query.continue);
    const items = at ? this.#snapshots.get(at.snapshot) : this.#select(request, collection, namespace);
    if (items === undefined) {
      sendStatus(response, 410, 'Expired');
      return;
    }
    const snapshot = at?.snapshot ?? `${this.#version}-${++this.#serial}`;
    const from = at?.from ?? 0;
    const to = query.limit === undefined ? items.length : from + Number(query.limit);
    const rest = Math.max(0, items.length - to);
    const resourceVersion = snapshot.split('-')[0] as string;
    const more = rest > 0 ? { continue: makeContinue({ snapshot, from: to }), remainingItemCount: rest } : {};
    if (rest > 0) this.#snapshots.set(snapshot, items);
    const { kind, apiVersion } = kindOf(collection);
    const metadata = { resourceVersion, ...more };
    sendJson(response, 200, { kind: `${kind}List`, apiVersion, metadata, items: items.slice(from, to) });
  }

  #select(request: SeenRequest, collection: string, namespace: string | undefined): readonly Stored[] {
    const all = [...(this.#objects.get(collection)?.values() ?? [])];
    const inNamespace = all.filter(
      ({ metadata }) => namespace === undefined || metadata.namespace === namespace,
    );
    return inNamespace.filter((object) => isSelected(object, request.query));
  }

  #watch(request: SeenRequest, response: ServerResponse, collection: string): void {
    const since = Number(request.query.resourceVersion || this.#version);
    if (since < this.#oldest && this.tooOldIs === 'status') {
      sendStatus(response, 410, 'Expired');
      return;
    }
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    if (since < this.#oldest) {
      response.end(`${JSON.stringify(TOO_OLD_EVENT)}\n`);
      return;
    }
    const bookmarks = request.query.allowWatchBookmarks === 'true';
    const watcher: Watcher = { collection, request, response, bookmarks };
    for (const change of this.#changes) if (change.version > since) sendChange(watcher, change);
    this.#watchers.add(watcher);
    const seconds = Number(request.query.timeoutSeconds ?? 1800);
    const end = setTimeout(() => response.end(), seconds * 1000);
    response.on('close', () => {
      clearTimeout(end);
      this.#watchers.delete(watcher);
    });
  }
}

export const PODS = '/api/v1/pods';
/** What may be forbidden beside collections. */
export const PORT_FORWARD = 'pods/portforward';
export const EVENTS = '/api/v1/events';
export const NODES = '/api/v1/nodes';
export const SERVICES = '/api/v1/services';
export const ENDPOINT_SLICES = '/apis/discovery.k8s.io/v1/endpointslices';
export const CILIUM_NODES = '/apis/cilium.io/v2/ciliumnodes';

const KINDS = new Map([
  [PODS, { kind: 'Pod', apiVersion: 'v1' }],
  [EVENTS, { kind: 'Event', apiVersion: 'v1' }],
  [NODES, { kind: 'Node', apiVersion: 'v1' }],
  [SERVICES, { kind: 'Service', apiVersion: 'v1' }],
  [ENDPOINT_SLICES, { kind: 'EndpointSlice', apiVersion: 'discovery.k8s.io/v1' }],
  [CILIUM_NODES, { kind: 'CiliumNode', apiVersion: 'cilium.io/v2' }],
]);

const MAX_CHANGES = 5000;

function kindOf(collection: string): { kind: string; apiVersion: string } {
  return KINDS.get(collection) ?? { kind: 'Thing', apiVersion: 'v1' };
}

function keyOf({ metadata: { namespace, name } }: KubeObject): string {
  return `${namespace ?? ''}/${name}`;
}

/** What leaves a selection is told as deleted, what enters it as added. */
function sendChange({ collection, request, response }: Watcher, change: Change): void {
  if (collection !== change.collection) return;
  const is = change.type !== 'DELETED' && isSelected(change.object, request.query);
  const was = change.before !== undefined && isSelected(change.before, request.query);
  if (!is && !was) return;
  const type = is ? (was ? 'MODIFIED' : 'ADDED') : 'DELETED';
  writeEvent(response, type, { ...kindOf(collection), ...change.object });
}

function isSelected(object: Stored, { fieldSelector, labelSelector }: SeenRequest['query']): boolean {
  const fields: Record<string, unknown> = {
    'spec.nodeName': (object.spec as { nodeName?: unknown } | undefined)?.nodeName,
    'metadata.name': object.metadata.name,
  };
  const [field, value] = fieldSelector?.split('=') ?? [];
  if (field !== undefined && fields[field] !== value) return false;
  return labelSelector === undefined || parseSelector(labelSelector)(object.metadata.labels ?? {});
}

function writeEvent(response: ServerResponse, type: string, object: unknown): void {
  response.write(`${JSON.stringify({ type, object })}\n`);
}

export function sendStatus(
  response: ServerResponse,
  code: number,
  reason: string,
  headers: Record<string, string> = {},
): void {
  sendJson(response, code, { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason, code }, headers);
}

function sendJson(
  response: ServerResponse,
  code: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(code, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

const TOO_OLD_EVENT = {
  type: 'ERROR',
  object: { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'Expired', code: 410 },
};

function refuse(socket: Duplex, status: number): void {
  socket.on('error', () => {});
  socket.end(`HTTP/1.1 ${status} Refused\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`);
}

interface Continue {
  readonly snapshot: string;
  readonly from: number;
}

function makeContinue(at: Continue): string {
  return Buffer.from(JSON.stringify(at)).toString('base64url');
}

function readContinue(token: string): Continue {
  return JSON.parse(Buffer.from(token, 'base64url').toString()) as Continue;
}
