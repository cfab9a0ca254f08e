import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ADDRESS } from '../../../../src/lab/topology.js';
import { type Authority, type Certificate, makeAuthority } from '../../../support/certificates.js';

/** Where the API server is for pods without a proxy of services: the first address of theirs. */
export const SERVICE_ADDRESS = '10.96.0.1';
export const SERVICE_RANGE = '10.96.0.0/16';
/** For everybody else. */
export const SERVER = `https://${ADDRESS.node}`;
export const NODE = 'node-1';

/** Certificates, keys and kubeconfigs of a cluster, as files. */
export class Papers {
  readonly #folder: string;
  readonly #authority: Authority = makeAuthority();

  constructor(folder: string) {
    mkdirSync(folder, { recursive: true });
    this.#folder = folder;
    this.#write('ca.crt', this.#authority.ca);
  }

  path(file: string): string {
    return join(this.#folder, file);
  }

  /** The paths of one for a server, or for whoever signs the tokens of service accounts. */
  pair(name: string, names: readonly string[]): Certificate {
    return this.#writePair(name, this.#authority.of(name, names.join(',')));
  }

  /** The paths of one for somebody who asks the API server. */
  clientPair(user: string, group?: string): Certificate {
    return this.#writePair(fileOf(user), this.#clientOf(user, group));
  }

  /** The path of a kubeconfig. */
  kubeconfig(user: string, group?: string): string {
    const { cert, key } = this.#clientOf(user, group);
    const name = `${fileOf(user)}.kubeconfig`;
    const base64 = (text: string) => Buffer.from(text).toString('base64');
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'lab',
      contexts: [{ name: 'lab', context: { cluster: 'lab', user } }],
      clusters: [
        {
          name: 'lab',
          cluster: { server: SERVER, 'certificate-authority-data': base64(this.#authority.ca) },
        },
      ],
      users: [
        { name: user, user: { 'client-certificate-data': base64(cert), 'client-key-data': base64(key) } },
      ],
    };
    this.#write(name, JSON.stringify(config));
    return this.path(name);
  }

  #clientOf(user: string, group: string | undefined): Certificate {
    return this.#authority.of(group === undefined ? user : `${user}/O=${group}`, `DNS:${fileOf(user)}`);
  }

  #writePair(name: string, { cert, key }: Certificate): Certificate {
    this.#write(`${name}.crt`, cert);
    this.#write(`${name}.key`, key);
    return { cert: this.path(`${name}.crt`), key: this.path(`${name}.key`) };
  }

  #write(file: string, text: string): void {
    writeFileSync(this.path(file), text, { mode: 0o600 });
  }
}

function fileOf(user: string): string {
  return user.replaceAll(':', '-');
}
