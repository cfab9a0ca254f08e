import type { Duplex } from 'node:stream';
import type { KubernetesOptions } from '../attribute/sources/kubernetes-options.js';

/** Where a `rpftrace serve` answers: whatever can give a connection to it. */
export interface Place {
  /** As people name it, for messages. Holds no secret. */
  readonly name: string;
  /** The Host header. */
  readonly host: string;
  /** What comes before /v1/events: '' or '/like/this', where a proxy wants it. */
  readonly prefix: string;
  /** The secret that it asks for, read anew for each connection: files of tokens are renewed. Throws a TracerError. */
  token(): string | undefined;
  /** What to do where it asks for a secret and gets none; undefined: give one. */
  readonly tokenRemedies?: readonly string[] | undefined;
  /** A new connection, ready to carry HTTP. Rejects with a TracerError: E_UNREACHABLE where trying again may help. */
  connect(signal: AbortSignal): Promise<Duplex>;
}

/** Who it is that asks. */
export interface Credentials {
  token(): string | undefined;
  /** A file with the certificates, PEM, that the server's is signed by. Undefined: those that Node.js knows. */
  readonly tlsCa?: string | undefined;
  /** The name that the server's certificate has to have. Undefined: that of the URL. */
  readonly tlsServerName?: string | undefined;
  /** How the Kubernetes API is reached, for pods. */
  readonly kubernetes?: Pick<KubernetesOptions, 'kubeconfig' | 'context'> | undefined;
}
