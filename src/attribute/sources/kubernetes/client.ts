import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { VERSION } from '../../../version.js';
import { authorizeInTime } from './authorize.js';
import type { Credentials } from './credentials.js';
import { ApiFailure, failureOfStatus, toFailure } from './failure.js';
import { MAX_OBJECT_BYTES, Pieces, parseJson } from './pieces.js';
import { seconds, type Timing } from './timing.js';

/** One question to the API server. */
export interface ApiRequest {
  /** "/api/v1/pods" */
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  /** JSON of an object that is to be created. */
  readonly body?: string;
  /** What the service account has to be allowed, as words: "list pods in all namespaces". */
  readonly permission: string;
  /** The answer has to end within. */
  readonly withinMs: number;
  /** So long without a byte means that the other side is gone. */
  readonly idleMs: number;
}

/** Asks the API server. Its connections keep no process alive. */
export class ApiClient {
  readonly #credentials: Credentials;
  readonly #timing: Timing;
  readonly #signal: AbortSignal;

  constructor(credentials: Credentials, timing: Timing, signal: AbortSignal) {
    this.#credentials = credentials;
    this.#timing = timing;
    this.#signal = signal;
  }

  /** Where the server is, and how it is reached; without secrets. */
  get at(): string {
    return this.#credentials.at;
  }

  /** Makes the next request read its credentials again, as it does where they were not accepted. */
  forgetCredentials(): void {
    this.#credentials.forget();
  }

  close(): void {
    this.#credentials.close();
  }

  /**
   * Hands the bytes of an answer with status 200, or 201 where something is created, to `take`, as they come, after `opened`. Resolves at its end.
   *
   * @throws {ApiFailure} for everything else, and when `take` throws.
   */
  async get(request: ApiRequest, take: (chunk: Buffer) => void, opened?: () => void): Promise<void> {
    const deadline = new Deadline(request.withinMs, this.#signal);
    let body: IncomingMessage | undefined;
    try {
      body = await this.#send(request, deadline);
      opened?.();
      deadline.expectBytes(request.idleMs);
      for await (const chunk of body as AsyncIterable<Buffer>) {
        deadline.heard();
        take(chunk);
      }
    } catch (error) {
      throw deadline.failure ?? toFailure(error);
    } finally {
      deadline.clear();
      body?.destroy();
    }
  }

  /** One object, or a short list. */
  async getObject(path: string, permission: string, query: ApiRequest['query'] = {}): Promise<unknown> {
    const body = new Pieces(MAX_OBJECT_BYTES);
    const { answerMs: withinMs, idleMs } = this.#timing;
    await this.get({ path, query, permission, withinMs, idleMs }, (chunk) => {
      body.add(chunk, 0, chunk.length);
      if (body.isTooLarge) throw new ApiFailure('malformed', 'the answer is too large');
    });
    return parseJson(body.take());
  }

  /** Creates an object. */
  async create(path: string, object: object, permission: string): Promise<void> {
    const { answerMs: withinMs, idleMs } = this.#timing;
    const body = JSON.stringify(object);
    await this.get({ path, query: {}, body, permission, withinMs, idleMs }, () => undefined);
  }

  async #send(request: ApiRequest, deadline: Deadline): Promise<IncomingMessage> {
    const authorized = await authorizeInTime(this.#credentials, this.#timing, deadline.signal);
    const { server, options } = authorized;
    deadline.expectBytes(this.#timing.answerMs);
    const url = new URL(server + request.path);
    for (const [name, value] of Object.entries(request.query)) url.searchParams.set(name, value);
    const answer = await open(url, options, deadline.signal, request.body);
    if (answer.statusCode === 200 || answer.statusCode === 201) return answer;
    answer.destroy();
    if (answer.statusCode === 401) this.#credentials.forget(authorized);
    throw failureOfStatus(answer.statusCode ?? 0, request.permission, answer.headers['retry-after']);
  }
}

function open(
  url: URL,
  options: https.RequestOptions,
  signal: AbortSignal,
  body: string | undefined,
): Promise<IncomingMessage> {
  const headers = {
    ...options.headers,
    accept: 'application/json',
    'user-agent': `rpftrace/${VERSION}`,
    ...(body !== undefined && { 'content-type': 'application/json' }),
  };
  const { request } = url.protocol === 'http:' ? http : https;
  const method = body === undefined ? 'GET' : 'POST';
  return new Promise((resolve, reject) => {
    const sent = request(url, { ...options, method, headers, signal }, (answer) => {
      // What comes after the answer was given up on is of no interest; it must not end the process.
      answer.on('error', () => {});
      resolve(answer);
    });
    sent.on('error', reject);
    sent.on('socket', (socket) => {
      socket.unref();
      // A watch may be silent for minutes; this finds out within half a one that the other side is gone.
      socket.setKeepAlive(true, KEEP_ALIVE_MS);
    });
    sent.end(body);
  });
}

const KEEP_ALIVE_MS = 15_000;

/** Ends a request that lasts too long, says nothing for too long, or is not wanted any more. */
class Deadline {
  readonly #abort = new AbortController();
  readonly #outer: AbortSignal;
  readonly #total: NodeJS.Timeout;
  #idle: NodeJS.Timeout | undefined;
  /** Why it was ended. */
  failure: ApiFailure | undefined;

  constructor(withinMs: number, outer: AbortSignal) {
    this.#outer = outer;
    this.#total = setTimeout(this.#end, withinMs, `the server did not finish within ${seconds(withinMs)}`);
    this.#total.unref();
    outer.addEventListener('abort', this.#stop);
    if (outer.aborted) this.#stop();
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  expectBytes(idleMs: number): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(this.#end, idleMs, `the server said nothing for ${seconds(idleMs)}`);
    this.#idle.unref();
  }

  heard(): void {
    this.#idle?.refresh();
  }

  clear(): void {
    clearTimeout(this.#total);
    clearTimeout(this.#idle);
    this.#outer.removeEventListener('abort', this.#stop);
  }

  readonly #end = (why: string): void => {
    this.failure ??= new ApiFailure('timeout', why);
    this.#abort.abort();
  };

  readonly #stop = (): void => {
    this.failure ??= new ApiFailure('stopped', 'stopped');
    this.#abort.abort();
  };
}
