import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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
  /** Of whoever is wanted: openssl's words behind /CN=, and the names that it is valid for. */
  of(subject: string, names: string): Certificate;
}

/** Made by openssl, so that nothing in the repository runs out. Leaves no file. */
export function makeAuthority(): Authority {
  const ca = inFolder((folder) =>
    makeKey(folder, 'ca', 'rpftrace test CA', ['-x509', '-days', '2', '-out', join(folder, 'ca.crt')]),
  );
  const of = (name: string, subject: string, days: number, names: string) =>
    sign(ca, { name, subject, days, names });
  return {
    ca: ca.cert,
    server: of('server', 'kube-apiserver', 2, 'IP:127.0.0.1'),
    expired: of('expired', 'kube-apiserver', -1, 'IP:127.0.0.1'),
    elsewhere: of('elsewhere', 'kube-apiserver', 2, 'DNS:elsewhere.example'),
    client: (name) => of('client', name, 2, `DNS:${name}`),
    of: (subject, names) => of('other', subject, 2, names),
  };
}

/** Writes both into a folder, the key for its owner alone. Returns their paths. */
export function writePair(folder: string, { cert, key }: Certificate): Certificate {
  const paths = { cert: join(folder, 'tls.crt'), key: join(folder, 'tls.key') };
  writeFileSync(paths.cert, cert);
  writeFileSync(paths.key, key, { mode: 0o600 });
  return paths;
}

interface Request {
  readonly name: string;
  readonly subject: string;
  readonly days: number;
  readonly names: string;
}

function sign(ca: Certificate, { name, subject, days, names }: Request): Certificate {
  return inFolder((folder) => {
    const path = (file: string) => join(folder, file);
    writeFileSync(path('ca.crt'), ca.cert);
    writeFileSync(path('ca.key'), ca.key);
    writeFileSync(path('names'), `subjectAltName=${names}\n`);
    makeKey(folder, name, subject, ['-new', '-out', path('request')]);
    const by = ['-CA', path('ca.crt'), '-CAkey', path('ca.key'), '-CAcreateserial'];
    const files = ['-in', path('request'), '-extfile', path('names'), '-out', path(`${name}.crt`)];
    openssl('x509', '-req', ...by, ...files, '-days', String(days));
    return read(folder, name);
  });
}

/** Returns the key, and the certificate if one was made with it. */
function makeKey(folder: string, name: string, subject: string, kind: string[]): Certificate {
  openssl('req', ...NEW_KEY, '-keyout', join(folder, `${name}.key`), '-subj', `/CN=${subject}`, ...kind);
  return read(folder, name);
}

function read(folder: string, name: string): Certificate {
  const [cert = '', key = ''] = ['crt', 'key'].map((kind) => {
    const file = join(folder, `${name}.${kind}`);
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  });
  return { cert, key };
}

function inFolder<T>(work: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'rpftrace-ca-'));
  try {
    return work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function openssl(...words: string[]): void {
  execFileSync('openssl', words, { stdio: 'pipe' });
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
