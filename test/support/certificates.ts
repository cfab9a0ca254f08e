import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** A certificate authority, and what it signed. */
export interface Authority {
  readonly ca: string;
  /** Of a server at 127.0.0.1. */
  readonly server: Certificate;
  readonly expired: Certificate;
  /** Of a server that is elsewhere. */
  readonly elsewhere: Certificate;
  client(name: string): Certificate;
}

/** Made by openssl, so that nothing in the repository runs out. */
export function makeAuthority(): Authority {
  const folder = mkdtempSync(join(tmpdir(), 'rpftrace-ca-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const path = (name: string) => join(folder, name);
  const openssl = (...words: string[]) => execFileSync('openssl', words, { stdio: 'pipe' });
  const makeKey = (name: string, subject: string, kind: string[]) =>
    openssl('req', ...NEW_KEY, '-keyout', path(`${name}.key`), '-subj', `/CN=${subject}`, ...kind);
  const read = (name: string) => readFileSync(path(name), 'utf8');
  makeKey('ca', 'rpftrace test CA', ['-x509', '-days', '2', '-out', path('ca.crt')]);
  const sign = (name: string, subject: string, days: number, names: string): Certificate => {
    makeKey(name, subject, ['-new', '-out', path(`${name}.csr`)]);
    writeFileSync(path(`${name}.ext`), `subjectAltName=${names}\n`);
    const by = ['-CA', path('ca.crt'), '-CAkey', path('ca.key'), '-CAcreateserial'];
    const files = ['-in', path(`${name}.csr`), '-extfile', path(`${name}.ext`), '-out', path(`${name}.crt`)];
    openssl('x509', '-req', ...by, ...files, '-days', String(days));
    return { cert: read(`${name}.crt`), key: read(`${name}.key`) };
  };
  return {
    ca: read('ca.crt'),
    server: sign('server', 'kube-apiserver', 2, 'IP:127.0.0.1'),
    expired: sign('expired', 'kube-apiserver', -1, 'IP:127.0.0.1'),
    elsewhere: sign('elsewhere', 'kube-apiserver', 2, 'DNS:elsewhere.example'),
    client: (name) => sign('client', name, 2, `DNS:${name}`),
  };
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
