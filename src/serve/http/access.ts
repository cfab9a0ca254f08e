import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** What a request is answered with when it may not. */
export interface Refusal {
  readonly status: 401 | 403 | 429;
  readonly message: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Who came by which way. */
export interface Visitor {
  readonly request: IncomingMessage;
  /** By TCP; who may open the socket file may ask. */
  readonly isRemote: boolean;
}

/**
 * Lets in who knows the token. Comparing takes as long for a wrong one as for a right one, and an address that brought too
 * many wrong ones is not listened to for a while.
 */
export class Access {
  #digest: Buffer | undefined;
  /** By address: wrong tokens, and until when they count. The oldest addresses are forgotten first. */
  readonly #failures = new Map<string, { count: number; untilMs: number }>();
  refused = 0;

  constructor(token: string | undefined) {
    this.token = token;
  }

  set token(token: string | undefined) {
    this.#digest = token === undefined ? undefined : digestOf(token);
  }

  /** Undefined where it is let in. */
  check({ request, isRemote }: Visitor): Refusal | undefined {
    if (!isRemote) return undefined;
    const refusal =
      this.#digest === undefined ? this.#checkLocal(request) : this.#checkToken(request, this.#digest);
    if (refusal) this.refused++;
    return refusal;
  }

  /** Without a token it listens on loopback alone: what a web page had a browser ask for comes under the page's own name. */
  #checkLocal({ headers, socket }: IncomingMessage): Refusal | undefined {
    if (!LOCAL_ADDRESS.test(socket.remoteAddress ?? ''))
      return { status: 403, message: 'without a token only this machine’s loopback may ask', headers: {} };
    const host = (headers.host ?? '').replace(/:\d+$/, '');
    if (LOCAL_HOST.test(host)) return undefined;
    return { status: 403, message: 'the Host of this request is not this machine’s loopback', headers: {} };
  }

  #checkToken(request: IncomingMessage, digest: Buffer): Refusal | undefined {
    const from = request.socket.remoteAddress ?? '';
    const waitMs = this.#waitMs(from);
    if (waitMs > 0) {
      const headers = { 'retry-after': String(Math.ceil(waitMs / 1000)) };
      return { status: 429, message: 'too many wrong tokens from this address', headers };
    }
    const given = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
    if (given !== undefined && timingSafeEqual(digestOf(given), digest)) return undefined;
    if (given !== undefined) this.#remember(from);
    return {
      status: 401,
      message:
        given === undefined ? 'a token is needed: Authorization: Bearer TOKEN' : 'this is not the token',
      headers: { 'www-authenticate': 'Bearer realm="rpftrace"' },
    };
  }

  #waitMs(from: string): number {
    const failure = this.#failures.get(from);
    if (failure === undefined) return 0;
    const leftMs = failure.untilMs - performance.now();
    if (leftMs <= 0) this.#failures.delete(from);
    return failure.count >= MAX_FAILURES ? leftMs : 0;
  }

  #remember(from: string): void {
    const known = this.#failures.get(from);
    const count = (known?.count ?? 0) + 1;
    // Counted from the first one on: who has the wrong one and asks now and then shuts nobody out.
    const isWithin = known !== undefined && count < MAX_FAILURES;
    this.#failures.delete(from);
    this.#failures.set(from, { count, untilMs: isWithin ? known.untilMs : performance.now() + WINDOW_MS });
    const [oldest] = this.#failures.keys();
    if (this.#failures.size > MAX_ADDRESSES && oldest !== undefined) this.#failures.delete(oldest);
  }
}

/** Of one length, whatever was given. */
function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/** A socket of both families shows IPv4 as a part of IPv6. */
const LOCAL_ADDRESS = /^((::ffff:)?127\.\d+\.\d+\.\d+|::1)$/;
const LOCAL_HOST = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;
const MAX_FAILURES = 10;
const WINDOW_MS = 60_000;
const MAX_ADDRESSES = 1024;
