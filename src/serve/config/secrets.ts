import { createPrivateKey, X509Certificate } from 'node:crypto';
import { statSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { TracerError } from '../../errors.js';
import { readNamedFile } from '../../named-file.js';
import type { TlsFiles } from '../http/listener.js';
import type { Config } from './schema.js';

/** What is kept in files of its own: a token, a certificate and its key. */
export interface Secrets {
  readonly token: string | undefined;
  readonly tls: TlsFiles | undefined;
}

/** Throws E_CONFIG. */
export function readSecrets(config: Config, note: (text: string) => void): Secrets {
  const { tls, token_file: file } = config;
  const token = file === undefined ? config.token : readSecret(file, note).trim();
  if (token !== undefined && !/^[\x21-\x7e]{16,4096}$/.test(token)) {
    throw new TracerError(
      'E_CONFIG',
      'the token has fewer than 16 characters, or such as no header can carry',
      {
        remedies: ['make one: openssl rand -hex 32 > /etc/rpftrace/token; chmod 600 /etc/rpftrace/token'],
      },
    );
  }
  return { token, tls: tls && readTls(tls, note) };
}

function readTls(files: NonNullable<Config['tls']>, note: (text: string) => void): TlsFiles {
  const tls = { cert: readNamedFile(files.cert_file, 'E_CONFIG'), key: readSecret(files.key_file, note) };
  try {
    // OpenSSL alone takes a file with nothing in it.
    createPrivateKey(tls.key);
    new X509Certificate(tls.cert);
    createSecureContext(tls);
  } catch (error) {
    const pair = `${files.cert_file} and ${files.key_file}`;
    throw new TracerError('E_CONFIG', `${pair} are no certificate and its key: ${(error as Error).message}`, {
      cause: error,
    });
  }
  return tls;
}

function readSecret(path: string, note: (text: string) => void): string {
  const text = readNamedFile(path, 'E_CONFIG');
  if (statSync(path).mode & 0o004) note(`everybody on this machine can read ${path}: chmod o-r ${path}`);
  return text;
}
