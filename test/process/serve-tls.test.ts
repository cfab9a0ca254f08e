import { existsSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { join } from 'node:path';
import { connect, type PeerCertificate } from 'node:tls';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { type Certificate, makeAuthority, writePair } from '../support/certificates.js';
import { DropSource } from './support/drops.js';
import { emitted, type Program, rpftrace, startAttached } from './support/program.js';
import { ALONE, portOf, scratch, TOKEN, tokenFile } from './support/serve.js';

const authority = makeAuthority();
const source = new DropSource();
const here = ['--netns', source.path];

afterAll(() => source.remove());

describe('serve over TLS, and attach', () => {
  test('with the token: tells every drop', async () => {
    const { url, ca } = await startTls();
    const attached = await startAttached('attach', [url, '--tls-ca', ca, '--token-file', tokenFile()]);
    onTestFinished(() => attached.kill('SIGKILL'));
    await source.drop(25, { flows: 5 });
    await attached.until(({ events }) => emitted(events) === 25);
    const { code, stderr } = await attached.stop();
    expect(code).toBe(0);
    expect(stderr).not.toContain('in clear');
    expect(stderr).not.toContain(TOKEN);
  });

  test('with the token in the environment', async () => {
    const { url, ca } = await startTls();
    const args = ['attach', url, '--tls-ca', ca, '--since', '1h', '--no-follow'];
    const { code, stdout } = await rpftrace(args, { env: { RPFTRACE_TOKEN: TOKEN } });
    expect(code).toBe(0);
    expect(stdout).toContain('"kind":"start"');
    const both = await rpftrace([...args, '--token-file', tokenFile()], { env: { RPFTRACE_TOKEN: TOKEN } });
    expect(both).toMatchObject({ code: 2, stderr: expect.stringContaining('not by both') });
  });

  test('without a token, with a wrong one, without TLS, without trust: says which it is', async () => {
    const { url, ca } = await startTls();
    const trying = async (...args: string[]) => {
      const { code, stdout, stderr } = await rpftrace(['attach', ...args]);
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).not.toContain(TOKEN);
      expect(stderr).not.toContain(WRONG);
      return stderr;
    };
    expect(await trying(url, '--tls-ca', ca)).toMatch(/wants a token \[E_DENIED\].*--token-file FILE/s);
    expect(await trying(url, '--tls-ca', ca, '--token-file', tokenFile(WRONG))).toContain(
      'wants a token, and not this one [E_DENIED]',
    );
    expect(await trying(url)).toMatch(
      /its certificate is signed by nobody .* \[E_UNREACHABLE\].*--tls-ca FILE/s,
    );
    expect(await trying(url.replace('https', 'http'))).toMatch(/\[E_(NO_SERVER|UNREACHABLE)\]/);
    expect(await trying(url, '--tls-ca', ca, '--tls-server-name', 'node-1')).toMatch(
      /its certificate is for another name.*--tls-server-name NAME/s,
    );
  });

  test('takes a certificate for another name where that is given', async () => {
    const { url, ca } = await startTls(authority.elsewhere);
    const args = ['attach', url, '--tls-ca', ca, '--token-file', tokenFile(), '--since', '1h', '--no-follow'];
    expect(await rpftrace(args)).toMatchObject({ code: 1 });
    expect(await rpftrace([...args, '--tls-server-name', 'elsewhere.example'])).toMatchObject({ code: 0 });
  });

  test('takes none that has expired', async () => {
    const { url, ca } = await startTls(authority.expired);
    const { code, stderr } = await rpftrace(['attach', url, '--tls-ca', ca, '--token-file', tokenFile()]);
    expect(code).toBe(1);
    expect(stderr).toContain('its certificate has expired');
  });
});

describe('serve over TLS', () => {
  test('lets nobody in without the token, and probes without', async () => {
    const { port } = await startTls();
    expect(await get(port, '/v1/status')).toMatchObject({ status: 401 });
    expect(await get(port, '/v1/status', WRONG)).toMatchObject({ status: 401 });
    expect(await get(port, '/v1/status', TOKEN)).toMatchObject({ status: 200 });
    expect(await get(port, '/healthz')).toMatchObject({ status: 200, body: 'ok\n' });
    await expect(oldTls(port)).rejects.toThrow(/alert|protocol/i);
  });

  test('has a renewed certificate from SIGHUP on, and the one before as long as the new one is none', async () => {
    const { program, port, files } = await startTls();
    const before = (await certificateOf(port)).serialNumber;
    const stream = await send(port, '/v1/events?kind=drop&heartbeat=1', TOKEN);

    writeFileSync(files.key, authority.elsewhere.key);
    program.kill('SIGHUP');
    await program.until(({ stderr }) => stderr.includes('the configuration stays as it was'));
    expect(program.stderr).toContain(`${files.cert} and ${files.key} are no certificate and its key`);
    expect((await certificateOf(port)).serialNumber).toBe(before);

    writeFileSync(files.cert, authority.elsewhere.cert);
    program.kill('SIGHUP');
    await program.until(({ stderr }) => stderr.includes('the configuration was read again'));
    expect((await certificateOf(port)).subjectaltname).toBe('DNS:elsewhere.example');
    await source.drop(1);
    for await (const text of stream.setEncoding('utf8')) if (text.includes('"kind":"drop"')) break;
    expect(stream.readableEnded).toBe(false);
  });

  test.each<[string, (files: Files) => void, string]>([
    ['an empty certificate', ({ cert }) => writeFileSync(cert, ''), 'are no certificate and its key'],
    [
      'bytes of nobody',
      ({ cert }) => writeFileSync(cert, 'x'.repeat(1000)),
      'are no certificate and its key',
    ],
    [
      'the key of another',
      ({ key }) => writeFileSync(key, authority.elsewhere.key),
      'are no certificate and',
    ],
  ])('does not start with %s', async (_what, spoil, message) => {
    const files = writeFiles(authority.server);
    spoil(files);
    const { code, stderr } = await rpftrace(['serve', ...ALONE, ...tlsArguments(files)]);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
    expect(stderr).toContain('[E_CONFIG]');
  });

  test('does not start without the file, or with a key and no certificate', async () => {
    const files = writeFiles(authority.server);
    const none = join(scratch(), 'none.crt');
    const missing = await rpftrace(['serve', ...ALONE, ...tlsArguments({ ...files, cert: none })]);
    expect(missing).toMatchObject({ code: 2 });
    expect(missing.stderr).toContain(`cannot read ${none}`);
    const half = await rpftrace(['serve', ...ALONE, '--tls-key', files.key]);
    expect(half).toMatchObject({ code: 2 });
    expect(half.stderr).toContain('tls.cert_file');
    expect(existsSync(none)).toBe(false);
  });
});

interface Files {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

interface Tls {
  readonly program: Program;
  readonly url: string;
  readonly port: number;
  readonly ca: string;
  readonly files: Files;
}

/** A server on a port of loopback that wants TLS and the token. */
async function startTls(certificate: Certificate = authority.server): Promise<Tls> {
  const files = writeFiles(certificate);
  const program = await startAttached('serve', [...here, ...ALONE, ...tlsArguments(files)]);
  onTestFinished(() => program.kill('SIGKILL'));
  const port = await portOf(program);
  return { program, port, url: `https://127.0.0.1:${port}`, ca: files.ca, files };
}

function tlsArguments({ cert, key }: Files): string[] {
  return ['--listen', '127.0.0.1:0', '--tls-cert', cert, '--tls-key', key, '--token-file', tokenFile()];
}

function writeFiles(pair: Certificate): Files {
  const directory = scratch();
  const files = { ...writePair(directory, pair), ca: join(directory, 'ca.crt') };
  writeFileSync(files.ca, authority.ca);
  return files;
}

async function get(port: number, path: string, token?: string): Promise<{ status: number; body: string }> {
  const response = await send(port, path, token);
  let body = '';
  for await (const text of response.setEncoding('utf8')) body += text;
  return { status: response.statusCode ?? 0, body };
}

function send(port: number, path: string, token: string | undefined): Promise<IncomingMessage> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, headers, ca: authority.ca, agent: false };
    request(options, resolve).on('error', reject).end();
  });
}

/** What a new connection is shown. */
function certificateOf(port: number): Promise<PeerCertificate> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate());
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

function oldTls(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const options = { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options }, resolve);
    socket.on('error', reject);
  });
}

const WRONG = 'wrong-horse-battery-staple';
