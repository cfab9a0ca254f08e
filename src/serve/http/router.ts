import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { EXIT, exitCodeOf, type TracerError, toTracerError } from '../../errors.js';
import { didYouMean } from '../../suggest.js';
import { VERSION } from '../../version.js';
import type { Access } from './access.js';

export interface Exchange {
  readonly query: URLSearchParams;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Aborted when the other side is gone, or nobody is waited for any longer. */
  readonly signal: AbortSignal;
}

export interface Route {
  readonly path: string;
  /** Anybody who gets here may ask: probes bring no token. */
  readonly isPublic?: boolean;
  answer(exchange: Exchange): void | Promise<void>;
}

export interface RouterOptions {
  readonly routes: readonly Route[];
  readonly access: Access;
  /** An answer failed in a way that is the server's fault. */
  readonly onError: (error: TracerError, path: string) => void;
}

interface Turn {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly isRemote: boolean;
  /** The answer that comes before this one on the same connection. */
  readonly before: Promise<void> | undefined;
}

/** Finds who answers a request. Only GET and HEAD, only known paths, letter by letter: there is nothing to walk through. */
export class Router {
  readonly #options: RouterOptions;
  readonly #routes: ReadonlyMap<string, Route>;
  readonly #open = new Set<AbortController>();
  /** Of each connection the answer that was asked for last. */
  readonly #last = new WeakMap<Socket, Promise<void>>();
  requests = 0;

  constructor(options: RouterOptions) {
    this.#options = options;
    this.#routes = new Map(options.routes.map((route) => [route.path, route]));
  }

  /** Ends all answers that are still being given. */
  abort(): void {
    for (const controller of this.#open) controller.abort();
  }

  /** Of requests that were sent in a row the next one waits for its turn: a connection holds one reader at most. */
  async handle(request: IncomingMessage, response: ServerResponse, isRemote: boolean): Promise<void> {
    const { socket } = request;
    const before = this.#last.get(socket);
    const answered = this.#handle({ request, response, isRemote, before });
    this.#last.set(
      socket,
      answered.catch(() => undefined),
    );
    await answered;
  }

  async #handle({ request, response, isRemote, before }: Turn): Promise<void> {
    this.requests++;
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    const controller = new AbortController();
    this.#open.add(controller);
    const { socket } = request;
    const end = () => {
      socket.off('close', end);
      this.#open.delete(controller);
      controller.abort();
    };
    response.once('close', end);
    // Of requests that were sent in a row only the first one's response hears when the other side is gone.
    socket.setMaxListeners(0);
    socket.once('close', end);
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    if (before) await before;
    if (controller.signal.aborted) return;
    const url = parseTarget(request.url ?? '');
    try {
      await this.#answer(
        url,
        { query: url?.searchParams ?? NO_QUERY, request, response, signal: controller.signal },
        isRemote,
      );
    } catch (thrown) {
      if (!controller.signal.aborted) this.#fail(response, toTracerError(thrown), url?.pathname ?? '');
    }
  }

  async #answer(url: URL | undefined, exchange: Exchange, isRemote: boolean): Promise<void> {
    const { request, response } = exchange;
    const route = url && this.#routes.get(url.pathname);
    const refusal = route?.isPublic ? undefined : this.#options.access.check({ request, isRemote });
    if (refusal) return sendError(response, refusal.status, { message: refusal.message }, refusal.headers);
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return sendError(
        response,
        405,
        { message: 'only GET is answered here' },
        { allow: 'GET, HEAD', connection: 'close' },
      );
    if (route === undefined) {
      const hint = didYouMean(url?.pathname.slice(0, 64) ?? '', [...this.#routes.keys()]);
      return sendError(response, 404, { message: `there is nothing here${hint}` });
    }
    await route.answer(exchange);
  }

  #fail(response: ServerResponse, error: TracerError, path: string): void {
    const status = statusOf(error);
    if (status === 500) this.#options.onError(error, path);
    if (response.headersSent) response.destroy();
    else sendError(response, status, { code: error.code, message: error.message, remedies: error.remedies });
  }
}

export function sendJson(response: ServerResponse, body: object, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(body)}\n`);
}

function sendError(
  response: ServerResponse,
  status: number,
  error: { code?: string; message: string; remedies?: readonly string[] },
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(`${JSON.stringify({ error })}\n`);
}

function statusOf(error: TracerError): number {
  if (error.code === 'E_TOO_MANY') return 503;
  return exitCodeOf(error) === EXIT.usage ? 400 : 500;
}

/** As it was sent: dots and percent signs mean nothing here. */
function parseTarget(target: string): URL | undefined {
  const path = target.split('?')[0] as string;
  if (!target.startsWith('/') || !/^[\w/.-]*$/.test(path) || !URL.canParse(`http://server${target}`))
    return undefined;
  const url = new URL(`http://server${target}`);
  return url.pathname === path ? url : undefined;
}

const NO_QUERY = new URLSearchParams();
const HEADERS = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  server: `rpftrace/${VERSION}`,
};
