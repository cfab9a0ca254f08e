import { TracerError } from '../errors.js';
import { printable } from '../printable.js';
import { parseAddress } from '../serve/http/address.js';

/** What the user named, read but not looked for. */
export type Target =
  | { readonly kind: 'default' }
  | { readonly kind: 'unix'; readonly path: string }
  | HttpTarget
  | KubernetesTarget;

export interface HttpTarget {
  readonly kind: 'http';
  readonly isTls: boolean;
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
  /** '' or '/like/this'. */
  readonly prefix: string;
}

export interface KubernetesTarget {
  readonly kind: 'kubernetes';
  readonly namespace: string;
  readonly pod: string;
  readonly port: number;
}

/** Where `rpftrace serve` listens unless told otherwise. */
export const DEFAULT_SOCKET = '/run/rpftrace/rpftrace.sock';
export const DEFAULT_PORT = 14_100;
/** What the chart makes: which pods the agents of the nodes are. */
export const AGENTS = { namespace: 'rpftrace', selector: 'app.kubernetes.io/name=rpftrace' };

/** Undefined: where a server on this machine would be. Throws E_USAGE. */
export function parseTarget(text: string | undefined): Target {
  if (text === undefined) return { kind: 'default' };
  if (text.startsWith('k8s:')) return parseKubernetes(text);
  if (/^https?:\/\//i.test(text)) return parseUrl(text);
  if (text.startsWith('unix:') || text.startsWith('/')) return parseSocket(text);
  if (text.startsWith('./') || text.startsWith('../')) return parseSocket(`${process.cwd()}/${text}`);
  throw usage(`${shown(text)} is no place to attach to`);
}

/** "k8s:NAMESPACE/POD[:PORT]" */
function parseKubernetes(text: string): KubernetesTarget {
  const match = /^k8s:([a-z0-9-]{1,63})\/([a-z0-9.-]{1,253})(?::(\d{1,5}))?$/.exec(text);
  const port = Number(match?.[3] ?? DEFAULT_PORT);
  if (!match || !isPort(port))
    throw usage(`${shown(text)} is no k8s:NAMESPACE/POD or k8s:NAMESPACE/POD:PORT`);
  return { kind: 'kubernetes', namespace: match[1] as string, pod: match[2] as string, port };
}

function parseUrl(text: string): HttpTarget {
  // What is wrong with a URL is told without it: there may be a password in it.
  if (!URL.canParse(text)) throw usage('this is no URL');
  const url = new URL(text);
  if (url.username !== '' || url.password !== '')
    throw usage('a URL carries no user and no password here: tokens come by --token-file or RPFTRACE_TOKEN');
  if (url.search !== '' || url.hash !== '')
    throw usage('a URL ends with its path here: what is wanted is said by options');
  const isTls = url.protocol === 'https:';
  return {
    kind: 'http',
    isTls,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? defaultPort(text, isTls) : Number(url.port),
    prefix: url.pathname.replace(/\/+$/, '').replace(/\/v1\/events$/, ''),
  };
}

/** "http://host" is a server of ours; "http://host:80" drops its port when it is parsed, and is what it says. */
function defaultPort(text: string, isTls: boolean): number {
  const isNamed = /^https?:\/\/[^/]*:\d+(\/|$)/i.test(text);
  if (!isNamed) return DEFAULT_PORT;
  return isTls ? 443 : 80;
}

function parseSocket(text: string): Target {
  const address = parseAddress(text);
  if (address.kind === 'unix') return address;
  throw usage(`${shown(text)} is no path of a socket`);
}

function isPort(port: number): boolean {
  return port >= 1 && port <= 65_535;
}

function shown(text: string): string {
  return printable(text.slice(0, 200));
}

function usage(message: string): TracerError {
  return new TracerError('E_USAGE', message, {
    remedies: [
      'give a URL (http://127.0.0.1:14100, https://node:14100), a socket (/run/rpftrace/rpftrace.sock), or k8s:NAMESPACE/POD',
    ],
  });
}
