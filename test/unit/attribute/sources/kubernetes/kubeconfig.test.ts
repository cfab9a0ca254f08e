import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Surroundings } from '../../../../../src/attribute/sources/kubernetes/credentials.js';
import { openKubeconfig } from '../../../../../src/attribute/sources/kubernetes/kubeconfig.js';
import { temporaryDirectory } from '../../../../fixtures/directory.js';
import { type KubeApi, NODES, PODS } from '../../../../support/kube-api.js';
import {
  eventually,
  FAST,
  follow,
  NODE,
  pod,
  startApi,
  surroundingsOf,
  theAuthority,
} from '../../../../support/kubernetes.js';

const NOWHERE: Surroundings = { env: { NODE_NAME: NODE }, serviceAccount: '/nowhere' };

/** A kubeconfig with one context, "lab". JSON is YAML too. */
function kubeconfig(
  api: KubeApi,
  user: unknown,
  cluster: Record<string, unknown> = {},
): Record<string, unknown> {
  const ca = Buffer.from(theAuthority().ca).toString('base64');
  return {
    'current-context': 'lab',
    clusters: [{ name: 'lab', cluster: { server: api.url, 'certificate-authority-data': ca, ...cluster } }],
    users: [{ name: 'admin', user }],
    contexts: [{ name: 'lab', context: { cluster: 'lab', user: 'admin' } }],
  };
}

function write(config: unknown): string {
  const file = join(temporaryDirectory(), 'config');
  writeFileSync(file, typeof config === 'string' ? config : JSON.stringify(config));
  return file;
}

function followWith(api: KubeApi, file: string, more: { context?: string } = {}) {
  return follow(api, { options: { kubeconfig: file, ...more }, surroundings: NOWHERE });
}

describe('a kubeconfig', () => {
  test('with a token', async () => {
    const api = await startApi();
    api.token = 'secret-token';
    const file = write(kubeconfig(api, { token: 'secret-token' }));
    const { until } = followWith(api, file);
    await eventually(() => expect(api.watchers()).toBe(1));
    expect(api.connections).toBe(1);
    expect((await until(({ state }) => state === 'ok')).at).toBe(`${api.url} (context lab of ${file})`);
  });

  test('with a certificate, in files beside it that are read again', async () => {
    const api = await startApi();
    const file = write(kubeconfig(api, { 'client-certificate': 'client.crt', 'client-key': 'client.key' }));
    const writeClient = (name: string) => {
      const { cert, key } = theAuthority().client(name);
      writeFileSync(join(file, '../client.crt'), cert);
      writeFileSync(join(file, '../client.key'), key);
    };
    writeClient('system:node:first');
    const { until } = followWith(api, file);
    await until(({ state }) => state === 'ok');
    await eventually(() => expect(api.watchers()).toBe(1));
    expect(api.requests.at(-1)?.client).toBe('system:node:first');
    writeClient('system:node:second');
    api.endWatches();
    await eventually(() => expect(api.requests.at(-1)?.client).toBe('system:node:second'));
  });

  test('with a password', async () => {
    const api = await startApi();
    const { until } = followWith(api, write(kubeconfig(api, { username: 'admin', password: 'secret' })));
    await until(({ state }) => state === 'ok');
    const sent = Buffer.from('admin:secret').toString('base64');
    expect(api.requests.at(-1)?.authorization).toBe(`Basic ${sent}`);
  });

  test('with another context', async () => {
    const api = await startApi();
    api.token = 'other';
    const config = kubeconfig(api, { token: 'wrong' });
    const users = [...(config.users as unknown[]), { name: 'other', user: { token: 'other' } }];
    const contexts = [
      ...(config.contexts as unknown[]),
      { name: 'second', context: { cluster: 'lab', user: 'other' } },
    ];
    const { until } = followWith(api, write({ ...config, users, contexts }), { context: 'second' });
    await until(({ state }) => state === 'ok');
  });

  test('of several files, of which the first counts and one is missing', async () => {
    const api = await startApi();
    api.token = 'first';
    const { clusters, users, ...rest } = kubeconfig(api, { token: 'first' });
    const second = kubeconfig(api, { token: 'second' }, { server: 'https://127.0.0.1:1' });
    const files = ['/nowhere/config', write({ ...rest, users }), write({ ...rest, clusters }), write(second)];
    const env = { ...NOWHERE.env, KUBECONFIG: files.join(delimiter) };
    const { until } = follow(api, { surroundings: { ...NOWHERE, env } });
    await until(({ state }) => state === 'ok');
  });

  test('that was changed is read again when the server does not take it in the middle', async () => {
    const api = await startApi();
    api.token = 'first';
    const file = write(kubeconfig(api, { token: 'first' }));
    const { seen, until } = followWith(api, file);
    await until(({ state }) => state === 'ok');
    await eventually(() => expect(api.watchers()).toBe(1));
    api.token = 'second';
    api.endWatches();
    await until(({ state }) => state === 'stale');
    writeFileSync(file, JSON.stringify(kubeconfig(api, { token: 'second' })));
    api.put(PODS, pod('db-0', '10.244.3.7'));
    await eventually(() => expect(seen.podNames).toEqual(['db-0']));
  });

  test('that was changed is read again when the server does not take it any more', async () => {
    const api = await startApi();
    api.token = 'second';
    const file = write(kubeconfig(api, { token: 'first' }));
    const { until } = followWith(api, file);
    await until(({ why }) => why?.includes('401') ?? false);
    writeFileSync(file, JSON.stringify(kubeconfig(api, { token: 'second' })));
    await until(({ state }) => state === 'ok');
  });
});

describe('the order', () => {
  test('is: what was told, the service account, ~/.kube/config', async () => {
    const api = await startApi();
    const home = temporaryDirectory();
    mkdirSync(join(home, '.kube'));
    writeFileSync(join(home, '.kube', 'config'), JSON.stringify(kubeconfig(api, { token: 'home' })));
    const inPod = surroundingsOf(api, { HOME: home });
    const told = write(kubeconfig(api, { token: 'told' }));
    const atOf = async (options: { kubeconfig?: string }, surroundings: Surroundings) => {
      const { until } = follow(api, { options, surroundings });
      return (await until(({ state }) => state === 'ok')).at;
    };
    expect(await atOf({ kubeconfig: told }, inPod)).toContain(told);
    expect(await atOf({}, inPod)).toContain('service account');
    expect(await atOf({}, { ...inPod, serviceAccount: '/nowhere' })).toContain(join(home, '.kube', 'config'));
    const env = { ...inPod.env, KUBECONFIG: told };
    expect(await atOf({}, { ...inPod, env })).toContain(told);
  });

  test('ends with nothing, and it says what to do', async () => {
    const api = await startApi();
    const { until } = follow(api, { surroundings: NOWHERE });
    expect(await until(({ state }) => state === 'absent')).toMatchObject({
      why: expect.stringContaining('give --kubeconfig FILE'),
    });
    expect(api.requests).toEqual([]);
  });
});

describe('a plugin', () => {
  const EXEC = { apiVersion: 'client.authentication.k8s.io/v1', interactiveMode: 'Never' };

  /** An executable that does what the shell script says. */
  function plugin(script: string): { exec: Record<string, unknown> } {
    const command = join(temporaryDirectory(), 'plugin');
    writeFileSync(command, `#!/bin/sh\n${script}\n`);
    chmodSync(command, 0o755);
    return { exec: { ...EXEC, command, args: [] } };
  }

  test('makes the credentials', async () => {
    const api = await startApi();
    api.token = 'secret-made';
    const status = { token: 'secret-made', expirationTimestamp: '2099-01-01T00:00:00Z' };
    const answer = JSON.stringify({ ...EXEC, kind: 'ExecCredential', status });
    const { until } = followWith(api, write(kubeconfig(api, plugin(`echo '${answer}'`))));
    await until(({ state }) => state === 'ok');
  });

  test('runs once for a token that is refused, however many were sent with it', async () => {
    const api = await startApi();
    const runs = join(temporaryDirectory(), 'runs');
    const status = { token: 'secret-made', expirationTimestamp: '2099-01-01T00:00:00Z' };
    const answer = JSON.stringify({ ...EXEC, kind: 'ExecCredential', status });
    const file = write(kubeconfig(api, plugin(`echo run >> ${runs}; echo '${answer}'`)));
    const credentials = await openKubeconfig([file], undefined);
    onTestFinished(() => credentials.close());
    const timesRun = () => readFileSync(runs, 'utf8').split('\n').length - 1;
    const old = await credentials.authorize();
    credentials.forget(old);
    const renewing = credentials.authorize();
    credentials.forget(old);
    credentials.forget();
    await Promise.all([renewing, credentials.authorize()]);
    credentials.forget(old);
    const used = await credentials.authorize();
    expect(timesRun()).toBe(2);
    credentials.forget(used);
    await credentials.authorize();
    expect(timesRun()).toBe(3);
  });

  test.each([
    ['fails', 'echo "secret-of-the-plugin is no good" >&2; exit 1'],
    ['tells nonsense', 'echo "secret-of-the-plugin"'],
    ['tells too much', 'while :; do echo secret-of-the-plugin; done'],
  ])('that %s is named, what it says is not', async (_, script) => {
    const api = await startApi();
    const user = plugin(script);
    const { until } = followWith(api, write(kubeconfig(api, user)));
    const { why } = await until(({ state }) => state === 'failed');
    expect(why).toBe(`the plugin ${user.exec.command} of the kubeconfig gave no credentials: run it by hand`);
  });

  test('that is not there is named', async () => {
    const api = await startApi();
    const user = { exec: { ...EXEC, command: '/nowhere/plugin' } };
    const { until } = followWith(api, write(kubeconfig(api, user)));
    expect((await until(({ state }) => state === 'failed')).why).toContain('/nowhere/plugin');
  });

  test('that waits for a login is not waited for, and holds up no end', async () => {
    const api = await startApi();
    const pidFile = join(temporaryDirectory(), 'pid');
    const user = plugin(`echo $$ > ${pidFile}; exec sleep 300`);
    const { source, until } = follow(api, {
      options: { kubeconfig: write(kubeconfig(api, user)) },
      surroundings: NOWHERE,
      timing: { ...FAST, credentialsMs: 200, maxPauseMs: 100_000, pauseMs: 100_000 },
    });
    const { why } = await until(({ state }) => state === 'failed');
    expect(why).toBe('there were no credentials within 0.2 s: does a plugin wait for a login?');
    await source.stop();
    await eventually(() => expect(existsSync(pidFile)).toBe(true));
    process.kill(Number(readFileSync(pidFile, 'utf8')), 'SIGKILL');
  });
});

describe('a kubeconfig that is of no use', () => {
  test.each<[string, (api: KubeApi) => unknown, string]>([
    ['is no YAML', () => 'users:\n- token: "secret\n  x: [', 'is no kubeconfig: line 4 is no YAML'],
    ['is a text', () => 'secret', 'has no current context: give --context'],
    ['is empty', () => '', 'is no kubeconfig'],
    ['has no context', () => ({ clusters: [] }), 'has no current context: give --context'],
    [
      'names one that is missing',
      (api) => ({ ...kubeconfig(api, {}), 'current-context': 'lap' }),
      'has no context lap; did you mean lab?',
    ],
    [
      'names no cluster',
      (api) => ({ ...kubeconfig(api, {}), clusters: [] }),
      'names no cluster with a server',
    ],
    ['has a cluster without a server', (api) => kubeconfig(api, {}, { server: '' }), 'is no kubeconfig'],
    [
      'has a server that is none',
      (api) => kubeconfig(api, {}, { server: 'secret' }),
      'names no cluster with a server',
    ],
    [
      'has a key that is missing',
      (api) => kubeconfig(api, { 'client-key': '/nowhere/key' }),
      'cannot read /nowhere/key',
    ],
    [
      'has a key that is none',
      (api) => kubeconfig(api, { 'client-key-data': 'c2VjcmV0', 'client-certificate-data': 'c2VjcmV0' }),
      'the certificate or key of the credentials is none',
    ],
    [
      'has an authority that is none',
      (api) => kubeconfig(api, {}, { 'certificate-authority-data': 'c2VjcmV0' }),
      'is not of the certificate authority that the credentials name',
    ],
    [
      'has an old provider',
      (api) => kubeconfig(api, { 'auth-provider': { name: 'gcp', config: { 'cmd-path': 'secret' } } }),
      'the auth provider gcp of the kubeconfig is not used',
    ],
    [
      'has a server without TLS',
      (api) => kubeconfig(api, { token: 'secret' }, { server: 'http://127.0.0.1:1' }),
      'insecure-skip-tls-verify',
    ],
  ])('because it %s says so', async (_, make, why) => {
    const api = await startApi();
    const { until } = followWith(api, write(make(api)));
    const state = await until(({ state }) => state === 'failed');
    expect(state.why).toContain(why);
    expect(JSON.stringify(state)).not.toContain('secret');
  });

  test('because it is not there says so', async () => {
    const api = await startApi();
    const { until } = followWith(api, '/nowhere/config');
    expect((await until(({ state }) => state === 'failed')).why).toBe('there is no file /nowhere/config');
  });

  test('is taken once it is right', async () => {
    const api = await startApi();
    const file = write('');
    const { until } = followWith(api, file);
    await until(({ state }) => state === 'failed');
    writeFileSync(file, JSON.stringify(kubeconfig(api, { token: 'any' })));
    await until(({ state }) => state === 'ok');
  });
});

describe('TLS', () => {
  test.each([
    ['expired', "the server's certificate has expired (CERT_HAS_EXPIRED)"],
    ['elsewhere', "the server's certificate is for another name (ERR_TLS_CERT_ALTNAME_INVALID)"],
  ] as const)('with a certificate that is %s', async (which, why) => {
    const api = await startApi();
    api.useCertificate(theAuthority()[which]);
    const { until } = follow(api);
    expect((await until(({ state }) => state === 'failed')).why).toBe(why);
  });

  test('with the certificate of another authority', async () => {
    const api = await startApi();
    const surroundings = surroundingsOf(api);
    writeFileSync(join(surroundings.serviceAccount, 'ca.crt'), theAuthority().client('other').cert);
    const { until } = follow(api, { surroundings });
    expect((await until(({ state }) => state === 'failed')).why).toContain(
      'is not of the certificate authority',
    );
    writeFileSync(join(surroundings.serviceAccount, 'ca.crt'), theAuthority().ca);
    await until(({ state }) => state === 'ok');
  });

  test('with a server that speaks none', async () => {
    const api = await startApi();
    const file = write(
      kubeconfig(
        api,
        { token: 'any' },
        { server: api.url.replace('https', 'http'), 'insecure-skip-tls-verify': true },
      ),
    );
    const { until } = followWith(api, file);
    expect((await until(({ state }) => state === 'failed')).why).toContain('the connection was cut');
  });

  test('of no authority, where the kubeconfig says so', async () => {
    const api = await startApi();
    const cluster = { 'certificate-authority-data': undefined, 'insecure-skip-tls-verify': true };
    const { until } = followWith(api, write(kubeconfig(api, { token: 'any' }, cluster)));
    await until(({ state }) => state === 'ok');
  });
});

test('no secret is in a state or in what is told', async () => {
  const secrets = ['secret-token', 'secret-password'];
  const api = await startApi();
  api.put(PODS, pod('db-0', '10.244.3.7'));
  const server = `https://admin:secret-password@127.0.0.1:${api.port}`;
  const { source, seen, until } = followWith(
    api,
    write(kubeconfig(api, { token: 'secret-token' }, { server })),
  );
  const states: string[] = [];
  const look = () => states.push(JSON.stringify(source.state));
  await until(({ state }) => state === 'ok');
  look();
  // A server that repeats what it was sent, in all its places.
  for (const code of [401, 403, 404, 410, 429, 500, 302]) {
    api.faults.unshift((request, response) => {
      response.writeHead(code, { location: `https://elsewhere/${request.authorization}` });
      response.end(
        JSON.stringify({
          kind: 'Status',
          message: request.authorization,
          code,
          reason: request.authorization,
        }),
      );
      return true;
    });
    api.cut();
    const asked = api.requests.length;
    await eventually(() => expect(api.requests.length).toBeGreaterThan(asked + 1));
    look();
  }
  api.faults.length = 0;
  await until(({ state }) => state === 'ok');
  const told = JSON.stringify([states, [...seen.pods], seen.told, seen.nodes]);
  for (const secret of secrets) expect(told).not.toContain(secret);
  expect(api.requests.some(({ authorization }) => authorization?.includes('secret-token'))).toBe(true);
});

describe("the node's name", () => {
  test('is told', async () => {
    const api = await startApi();
    api.put(NODES, { metadata: { name: 'node-7' } });
    const { until } = follow(api, { options: { node: 'node-7' } });
    await until(({ state }) => state === 'ok');
    expect(api.requests.some(({ query }) => query.fieldSelector === 'spec.nodeName=node-7')).toBe(true);
  });

  test('that no node has is told, with one that is like it', async () => {
    const api = await startApi();
    const { until } = follow(api, { options: { node: 'node-l' } });
    expect((await until(({ state }) => state === 'failed')).why).toBe(
      'the cluster has no node node-l; did you mean node-1?; give --node NAME',
    );
    api.put(NODES, { metadata: { name: 'node-l' } });
    await until(({ state }) => state === 'ok');
  });

  test('is that of the node that has the host in its label', async () => {
    const api = await startApi();
    const labels = { 'kubernetes.io/hostname': 'host-7' };
    api.put(NODES, { metadata: { name: 'node-7.example.com', labels } });
    const { until } = follow(api, { options: { node: 'host-7' } });
    await until(({ state }) => state === 'ok');
    expect(api.requests.at(-1)?.query.fieldSelector).toBe('spec.nodeName=node-7.example.com');
  });

  test('is that of the node of the own pod, whose name the host bears', async () => {
    const api = await startApi();
    const { hostname } = await import('node:os');
    api.put(PODS, { metadata: { name: hostname(), namespace: 'monitoring' }, spec: { nodeName: 'node-1' } });
    const surroundings = surroundingsOf(api);
    const env = { ...surroundings.env, NODE_NAME: undefined };
    const { until } = follow(api, { surroundings: { ...surroundings, env } });
    await until(({ state, pods }) => state === 'ok' && pods === 1);
    expect(api.requests[0]?.path).toBe('/api/v1/namespaces/monitoring/pods');
  });

  test('that nobody may ask for is taken as it is, and doubted when it has no pods', async () => {
    const api = await startApi();
    api.forbidden.add(NODES);
    const { until } = follow(api, { options: { node: 'node-7' } });
    const { why } = await until(({ state }) => state === 'ok');
    expect(why).toBe(
      'it knows no pods on a node node-7: if this node has another name there, give --node NAME',
    );
    api.put(PODS, { ...pod('db-0', '10.244.3.7'), spec: { nodeName: 'node-7' } });
    await until(({ why }) => why === undefined);
  });
});
