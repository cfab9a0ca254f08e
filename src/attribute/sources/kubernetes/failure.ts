/** Why the API server gave no usable answer. */
export type FailureKind =
  | 'credentials'
  | 'unauthorized'
  | 'forbidden'
  | 'missing'
  | 'exists'
  | 'gone'
  | 'busy'
  | 'refused'
  | 'unreachable'
  | 'tls'
  | 'timeout'
  | 'malformed'
  | 'stopped';

/**
 * An answer that is of no use, in our own words: what servers, plugins and parsers say may carry a token or a key, so none
 * of it is ever passed on, as cause neither.
 */
export class ApiFailure extends Error {
  override readonly name = 'ApiFailure';
  readonly kind: FailureKind;
  /** The server wants to be left alone for so long. */
  readonly retryAfterMs: number | undefined;

  constructor(kind: FailureKind, why: string, retryAfterMs?: number) {
    super(why);
    this.kind = kind;
    this.retryAfterMs = retryAfterMs;
  }
}

/** What an error of the connection or of our own code means. */
export function toFailure(thrown: unknown): ApiFailure {
  if (thrown instanceof ApiFailure) return thrown;
  const code = codeOf(thrown);
  if (code === 'ABORT_ERR') return new ApiFailure('stopped', 'stopped');
  const tls = TLS_TROUBLE.find(({ test }) => test.test(code));
  if (tls) return new ApiFailure('tls', `${tls.why} (${code})`);
  if (thrown instanceof SyntaxError) return new ApiFailure('malformed', 'the answer is no JSON');
  return new ApiFailure('unreachable', `${CONNECTION_TROUBLE.get(code) ?? 'the connection broke'} (${code})`);
}

/** The failure that an HTTP status is; `what` is what was asked for. */
export function failureOfStatus(status: number, what: string, retryAfter: string | undefined): ApiFailure {
  switch (status) {
    case 401:
      return new ApiFailure(
        'unauthorized',
        'the server does not accept the credentials (401): have they expired?',
      );
    case 403:
      return new ApiFailure('forbidden', `not allowed (403): grant ${what}`);
    case 404:
      return new ApiFailure('missing', `the server has no such thing (404): ${what}`);
    case 409:
      return new ApiFailure('exists', 'it is there already (409)');
    case 410:
      return new ApiFailure('gone', 'the version that was asked for is too old (410)');
    case 429:
    case 503:
      return new ApiFailure('busy', `the server is too busy (${status})`, retryAfterMs(retryAfter));
    default:
      return new ApiFailure('refused', `the server answered ${status} to: ${what}`, retryAfterMs(retryAfter));
  }
}

/** Seconds; a date is not used by Kubernetes. A lie of a week does not silence us for one. */
function retryAfterMs(header: string | undefined): number | undefined {
  if (header === undefined || !/^\d{1,9}$/.test(header)) return undefined;
  return Math.min(Number(header) * 1000, MAX_RETRY_AFTER_MS);
}

const MAX_RETRY_AFTER_MS = 60_000;

function codeOf(thrown: unknown): string {
  const code = (thrown as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' && /^[A-Z0-9_]{1,64}$/.test(code) ? code : 'unknown error';
}

const TLS_TROUBLE = [
  {
    test: /^ERR_OSSL_(PEM|ASN1|X509|EVP|UNSUPPORTED)/,
    why: 'the certificate or key of the credentials is none',
  },
  { test: /^CERT_HAS_EXPIRED$/, why: "the server's certificate has expired" },
  {
    test: /^CERT_NOT_YET_VALID$/,
    why: "the server's certificate is not valid yet: is this node's clock right?",
  },
  { test: /^ERR_TLS_CERT_ALTNAME_INVALID$/, why: "the server's certificate is for another name" },
  {
    test: /^(UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_SELF_SIGNED_|CERT_|INVALID_CA)/,
    why: "the server's certificate is not of the certificate authority that the credentials name",
  },
  { test: /^(ERR_SSL_|ERR_TLS_|ERR_OSSL_|EPROTO)/, why: 'the TLS handshake failed' },
];

const CONNECTION_TROUBLE = new Map([
  ['ECONNREFUSED', 'nobody listens at the address of the server'],
  ['ENOTFOUND', "the server's name is not known"],
  ['EAI_AGAIN', "the server's name could not be looked up"],
  ['ETIMEDOUT', 'the server cannot be reached in time'],
  ['EHOSTUNREACH', 'there is no way to the server'],
  ['ENETUNREACH', 'there is no way to the server'],
  ['ECONNRESET', 'the connection was cut'],
  ['ERR_STREAM_PREMATURE_CLOSE', 'the connection was cut'],
]);
