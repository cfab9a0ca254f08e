import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { placeOpener } from '../../../src/attach/open-place.js';
import { parseTarget } from '../../../src/attach/target.js';
import { temporaryDirectory } from '../../fixtures/directory.js';
import { kubeconfigOf, startApi } from '../../support/kubernetes.js';

test('several pods share the way into their cluster: its plugin runs once, though all are connected to at once', async () => {
  const api = await startApi();
  api.token = 'secret-made';
  const runs = join(temporaryDirectory(), 'runs');
  const kubeconfig = withPlugin(kubeconfigOf(api), `echo run >> ${runs}`, api.token);
  const closing = new AbortController();
  const open = placeOpener({ token: () => undefined, kubernetes: { kubeconfig } }, closing.signal);
  const names = ['rpftrace-1', 'rpftrace-2', 'rpftrace-3'];
  const places = await Promise.all(names.map((name) => open(parseTarget(`k8s:shop/${name}`))));
  const { signal } = new AbortController();
  const failures = await Promise.all(places.map((place) => place.connect(signal).catch((error) => error)));
  expect(failures.map(({ code }) => code)).toEqual(['E_NO_SERVER', 'E_NO_SERVER', 'E_NO_SERVER']);
  expect(readFileSync(runs, 'utf8')).toBe('run\n');
  closing.abort();
});

/** The same, by a plugin that does this first. */
function withPlugin(file: string, first: string, token: string): string {
  const exec = { apiVersion: 'client.authentication.k8s.io/v1', interactiveMode: 'Never' };
  const status = { token, expirationTimestamp: '2099-01-01T00:00:00Z' };
  const answer = JSON.stringify({ ...exec, kind: 'ExecCredential', status });
  const command = join(temporaryDirectory(), 'plugin');
  writeFileSync(command, `#!/bin/sh\n${first}\necho '${answer}'\n`);
  chmodSync(command, 0o755);
  const config = JSON.parse(readFileSync(file, 'utf8'));
  config.users[0].user = { exec: { ...exec, command, args: [] } };
  writeFileSync(file, JSON.stringify(config));
  return file;
}
