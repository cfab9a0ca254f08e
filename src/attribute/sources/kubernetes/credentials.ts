import type { RequestOptions } from 'node:https';

/** Where the API server is and what it wants to see. Nothing of it is ever shown but `at`. */
export interface Credentials {
  /** Server, and where the credentials are from; without secrets. */
  readonly at: string;
  /** Where one looks who names no namespace. */
  readonly namespace?: string | undefined;
  /** Made anew for each request, so that a token or key that was renewed is the one that is sent. */
  authorize(): Promise<AuthorizedRequest>;
  /**
   * The server did not take them: whatever is kept of them is read again. Not where `used` are older than what is kept, nor while
   * new ones are made.
   */
  forget(used?: AuthorizedRequest): void;
  /** Closes the connections that are kept. */
  close(): void;
}

export interface AuthorizedRequest {
  /** Without a slash at its end. */
  readonly server: string;
  readonly options: Pick<RequestOptions, 'agent' | 'auth' | 'headers'>;
}

/** Where a program looks that was not told. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What is mounted into a pod: token, ca.crt, namespace. */
  readonly serviceAccount: string;
}

export const SURROUNDINGS: Surroundings = {
  env: process.env,
  serviceAccount: '/var/run/secrets/kubernetes.io/serviceaccount',
};
