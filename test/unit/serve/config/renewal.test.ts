import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Renewal } from '../../../../src/serve/config/renewal.js';
import type { Config } from '../../../../src/serve/config/schema.js';
import { readSecrets, type Secrets } from '../../../../src/serve/config/secrets.js';
import { temporaryDirectory } from '../../../fixtures/directory.js';
import { type Certificate, makeAuthority, writePair } from '../../../support/certificates.js';

const MINUTE_MS = 60_000;

test('takes a certificate and a token that are others after a minute, once both of the pair are there', () => {
  const { server, elsewhere } = makeAuthority();
  const { files, taken, notes } = start(server);
  vi.advanceTimersByTime(3 * MINUTE_MS);
  expect([taken, notes]).toEqual([[], []]);

  writeFileSync(files.key_file, elsewhere.key);
  vi.advanceTimersByTime(3 * MINUTE_MS);
  expect(taken).toEqual([]);
  expect(notes).toEqual([expect.stringContaining('are no certificate and its key')]);

  writeFileSync(files.cert_file, elsewhere.cert);
  writeFileSync(files.token_file, 'another-token-of-mine\n', { mode: 0o600 });
  vi.advanceTimersByTime(3 * MINUTE_MS);
  expect(taken).toEqual([
    { token: 'another-token-of-mine', tls: { cert: elsewhere.cert, key: elsewhere.key } },
  ]);
  expect(notes[1]).toBe('the token or the certificate has changed, and was read again');
  expect(notes).toHaveLength(2);
});

function start(pair: Certificate) {
  vi.useFakeTimers();
  const directory = temporaryDirectory();
  const { cert, key } = writePair(directory, pair);
  const files = { cert_file: cert, key_file: key, token_file: join(directory, 'token') };
  writeFileSync(files.token_file, 'correct-horse-battery\n', { mode: 0o600 });
  const config = { tls: files, token_file: files.token_file } as unknown as Config;
  const taken: Secrets[] = [];
  const notes: string[] = [];
  const renewal = new Renewal({
    config: () => config,
    secrets: readSecrets(config, () => undefined),
    take: (secrets) => taken.push(secrets),
    note: (text) => notes.push(text),
  });
  onTestFinished(() => {
    renewal.stop();
    vi.useRealTimers();
  });
  return { files, taken, notes };
}
