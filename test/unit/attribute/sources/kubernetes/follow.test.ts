import { describe, expect, test } from 'vitest';
import { PODS, sendStatus } from '../../../../support/kube-api.js';
import {
  eventually,
  FAST,
  follow,
  NODE,
  pod,
  putPods,
  startApi,
  surroundingsOf,
  TOKEN,
  writeToken,
} from '../../../../support/kubernetes.js';

describe('the pods of this node', () => {
  test('are listed, then followed', async () => {
    const api = await startApi();
    api.put(PODS, pod('db-0', '10.244.3.7'));
    api.put(PODS, { ...pod('elsewhere', '10.244.9.9'), spec: { nodeName: 'node-2' } });
    const { seen, until, source } = follow(api);
    expect(await until(({ state }) => state === 'ok')).toMatchObject({
      name: 'kubernetes',
      at: `${api.url} (service account)`,
      pods: 1,
    });
    expect(seen.podNames).toEqual(['db-0']);
    expect([...seen.pods.values()][0]?.interfaces).toEqual([{ ips: ['10.244.3.7'] }]);

    await eventually(() => expect(api.watchers()).toBe(1));
    api.put(PODS, pod('web-0', '10.244.3.8'));
    await eventually(() => expect(seen.podNames).toEqual(['db-0', 'web-0']));
    api.put(PODS, pod('web-0', '10.244.3.9'));
    await eventually(() => expect([...seen.pods.values()][1]?.interfaces[0]?.ips).toEqual(['10.244.3.9']));
    api.remove(PODS, 'db-0', 'shop');
    await eventually(() => expect(seen.podNames).toEqual(['web-0']));
    expect(source.state.pods).toBe(1);
    expect(source.state.ageMs).toBeLessThan(5000);
  });

  test('are asked for by the field selector, from the cache of the server, with bookmarks and an end', async () => {
    const api = await startApi();
    follow(api);
    await eventually(() => expect(api.watchers()).toBe(1));
    const [list, watch] = api.requests.filter(({ path }) => path === PODS);
    expect(list?.query).toEqual({
      fieldSelector: `spec.nodeName=${NODE}`,
      limit: '500',
      resourceVersion: '0',
      resourceVersionMatch: 'NotOlderThan',
    });
    expect(watch?.query).toMatchObject({
      fieldSelector: `spec.nodeName=${NODE}`,
      allowWatchBookmarks: 'true',
      resourceVersion: String(api.version),
    });
    expect(Number(watch?.query.timeoutSeconds)).toBeGreaterThanOrEqual(240);
  });

  test('of other nodes are not taken, whatever the server says', async () => {
    const api = await startApi();
    const lie = { metadata: { uid: 'u', name: 'x', namespace: 'y' }, spec: { nodeName: 'node-2' } };
    api.put(PODS, pod('db-0', '10.244.3.7'));
    const { seen, until } = follow(api);
    await until(({ pods }) => pods === 1);
    await eventually(() => expect(api.watchers()).toBe(1));
    api.sendRaw(`${JSON.stringify({ type: 'ADDED', object: lie })}\n`);
    api.put(PODS, pod('web-0', '10.244.3.8'));
    await until(({ pods }) => pods === 2);
    expect(seen.podNames).toEqual(['db-0', 'web-0']);
  });

  test('come in pages', async () => {
    const api = await startApi();
    putPods(api, 1201);
    const { until } = follow(api);
    await until(({ pods }) => pods === 1201);
    const lists = api.requests.filter(({ path, query }) => path === PODS && query.watch === undefined);
    expect(lists).toHaveLength(3);
  });

  test('that are gone when the list is made again are told to be gone', async () => {
    const api = await startApi();
    putPods(api, 3);
    const { seen, until } = follow(api);
    await until(({ pods }) => pods === 3);
    await eventually(() => expect(api.watchers()).toBe(1));
    api.faults.push(refuse(503));
    api.cut();
    api.remove(PODS, 'web-1', 'shop');
    api.compact();
    api.faults.pop();
    await eventually(() => expect(seen.podNames).toEqual(['web-0', 'web-2']));
    expect(seen.told.filter((line) => line.startsWith('podGone'))).toHaveLength(1);
  });
});

describe('a watch', () => {
  test('goes on where it was when the server ends it', async () => {
    const api = await startApi();
    const { seen } = follow(api, { timing: { ...FAST, goodWatchMs: 0 } });
    await eventually(() => expect(api.watchers()).toBe(1));
    api.put(PODS, pod('db-0', '10.244.3.7'));
    await eventually(() => expect(seen.podNames).toEqual(['db-0']));
    api.endWatches();
    api.put(PODS, pod('web-0', '10.244.3.8'));
    await eventually(() => expect(seen.podNames).toEqual(['db-0', 'web-0']));
    expect(listsOf(api.requests)).toBe(1);
  });

  test.each(['status', 'event'] as const)('begins with a list when it is too old (%s)', async (how) => {
    const api = await startApi();
    api.tooOldIs = how;
    const { seen } = follow(api);
    await eventually(() => expect(api.watchers()).toBe(1));
    api.put(PODS, pod('db-0', '10.244.3.7'));
    await eventually(() => expect(seen.podNames).toEqual(['db-0']));
    api.compact();
    api.endWatches();
    await eventually(() => expect(listsOf(api.requests)).toBe(2));
    // The server's cache may be older than what was seen.
    const last = api.requests.filter(({ query }) => query.limit !== undefined).at(-1);
    expect(last?.query.resourceVersion).toBeUndefined();
    await eventually(() => expect(api.watchers()).toBe(1));
    expect(seen.podNames).toEqual(['db-0']);
  });

  test('begins with a list when it is told in the stream to be too old', async () => {
    const api = await startApi();
    const { until } = follow(api);
    await eventually(() => expect(api.watchers()).toBe(1));
    api.expireWatches();
    await eventually(() => expect(listsOf(api.requests)).toBe(2));
    await until(({ state }) => state === 'ok');
  });

  test('is spared a list by bookmarks', async () => {
    const api = await startApi();
    putPods(api, 1);
    const { until } = follow(api);
    await until(({ pods }) => pods === 1);
    await eventually(() => expect(api.watchers()).toBe(1));
    api.put('/api/v1/services', { metadata: { name: 'other', namespace: 'shop' } });
    api.compact();
    api.sendBookmarks();
    api.endWatches();
    await eventually(() => expect(api.watchers()).toBe(1));
    await eventually(() => expect(watchVersions(api.requests).at(-1)).toBe(String(api.version)));
    expect(listsOf(api.requests)).toBe(1);
  });

  test('that is cut in the middle of an object tells of it once it is whole', async () => {
    const api = await startApi();
    const { seen } = follow(api);
    await eventually(() => expect(api.watchers()).toBe(1));
    const half = JSON.stringify({ type: 'ADDED', object: pod('half', '10.244.3.7') });
    api.sendRaw(half.slice(0, half.length / 2));
    api.cut();
    api.put(PODS, pod('db-0', '10.244.3.7'));
    await eventually(() => expect(seen.podNames).toEqual(['db-0']));
    expect(listsOf(api.requests)).toBe(1);
  });

  test('that tells nonsense is begun with a list', async () => {
    const api = await startApi();
    const { seen, until } = follow(api);
    await eventually(() => expect(api.watchers()).toBe(1));
    api.put(PODS, pod('db-0', '10.244.3.7'));
    api.sendRaw('{"type":"ADDED","object":nonsense}\n');
    await eventually(() => expect(listsOf(api.requests)).toBe(2));
    await until(({ state }) => state === 'ok');
    expect(seen.podNames).toEqual(['db-0']);
  });

  test('that ends at once each time is not begun without pause', async () => {
    const api = await startApi();
    api.faults.push(({ query }, response) => {
      if (query.watch === undefined) return false;
      response.writeHead(200).end();
      return true;
    });
    const { until } = follow(api, { timing: { ...FAST, pauseMs: 100, maxPauseMs: 100_000 } });
    await until(({ state }) => state === 'ok');
    const begunMs = performance.now();
    await eventually(() => expect(watchVersions(api.requests)).toHaveLength(4));
    // 50, 100 and 200 ms at least.
    expect(performance.now() - begunMs).toBeGreaterThan(300);
  });
});

test('one connection serves for the node, the list and the watches', async () => {
  const api = await startApi();
  putPods(api, 600);
  const { seen, until } = follow(api);
  await until(({ pods }) => pods === 600);
  await eventually(() => expect(api.watchers()).toBe(1));
  api.endWatches();
  api.put(PODS, pod('db-0', '10.244.3.7'));
  await eventually(() => expect(seen.podNames).toContain('db-0'));
  expect(api.connections).toBe(1);
});

describe('a server in trouble', () => {
  test('leaves what it said, as stale', async () => {
    const api = await startApi();
    putPods(api, 2);
    const { seen, until } = follow(api);
    await until(({ pods }) => pods === 2);
    await api.stop();
    expect(await until(({ state }) => state === 'stale')).toMatchObject({ pods: 2 });
    const { why } = await until(({ why }) => why?.includes('nobody listens') ?? false);
    expect(why).toBe('nobody listens at the address of the server (ECONNREFUSED)');
    expect(seen.podNames).toHaveLength(2);
  });

  test('that never answered has failed', async () => {
    const api = await startApi();
    const surroundings = surroundingsOf(api);
    await api.stop();
    const { until } = follow(api, { surroundings });
    expect((await until(({ state }) => state === 'failed')).why).toContain('ECONNREFUSED');
  });

  test('that hangs is left', async () => {
    const api = await startApi();
    api.faults.push(({ path }) => path === PODS);
    const { until } = follow(api, { timing: { ...FAST, answerMs: 100 } });
    expect((await until(({ state }) => state === 'failed')).why).toBe('the server said nothing for 0.1 s');
    api.faults.pop();
    await until(({ state }) => state === 'ok');
  });

  test('that hangs in the middle of a list is left', async () => {
    const api = await startApi();
    api.faults.push(({ path }, response) => {
      if (path !== PODS) return false;
      response.writeHead(200);
      response.write('{"kind":"PodList","metadata":{"resourceVersion":"1"},"items":[{"metadata":');
      return true;
    });
    const { until } = follow(api, { timing: { ...FAST, idleMs: 100 } });
    expect((await until(({ state }) => state === 'failed')).why).toBe('the server said nothing for 0.1 s');
  });

  test('that gives one byte at a time is left in the end', async () => {
    const api = await startApi();
    api.faults.push(({ path }, response) => {
      if (path !== PODS) return false;
      response.writeHead(200);
      response.write('{"kind":"PodList","items":[');
      const drip = setInterval(() => response.write(' '), 10);
      response.on('close', () => clearInterval(drip));
      return true;
    });
    const { until } = follow(api, { timing: { ...FAST, pageMs: 200 } });
    expect((await until(({ state }) => state === 'failed')).why).toBe(
      'the server did not finish within 0.2 s',
    );
  });

  test('that ends a list in the middle is asked again', async () => {
    const api = await startApi();
    putPods(api, 1);
    let isFirst = true;
    api.faults.push(({ path }, response) => {
      if (path !== PODS || !isFirst) return false;
      isFirst = false;
      response.writeHead(200).end('{"kind":"PodList","metadata":{},"items":[{"metadata":{}');
      return true;
    });
    const { until } = follow(api);
    await until(({ state, pods }) => state === 'ok' && pods === 1);
  });

  test('that wants to be left alone is', async () => {
    const api = await startApi();
    api.faults.push((request, response) => {
      if (request.path !== PODS) return false;
      sendStatus(response, 429, 'TooManyRequests', { 'retry-after': '1' });
      return true;
    });
    const { until } = follow(api);
    expect((await until(({ state }) => state === 'failed')).why).toBe('the server is too busy (429)');
    const asked = api.requests.length;
    const begunMs = performance.now();
    await eventually(() => expect(api.requests.length).toBeGreaterThan(asked));
    expect(performance.now() - begunMs).toBeGreaterThan(900);
  });

  test('whose pages are too old in the middle of a list is asked for all at once', async () => {
    const api = await startApi();
    putPods(api, 600);
    api.faults.push(({ query }) => {
      if (query.continue !== undefined) api.compact();
      return false;
    });
    const { until } = follow(api);
    await until(({ state, pods }) => state === 'ok' && pods === 600);
    const lists = api.requests.filter(({ path, query }) => path === PODS && query.watch === undefined);
    expect(
      lists.map(({ query }) => [query.resourceVersion, query.limit, query.continue !== undefined]),
    ).toEqual([
      ['0', '500', false],
      [undefined, '500', true],
      [undefined, '500', false],
      [undefined, '500', true],
      [undefined, undefined, false],
    ]);
  });

  test.each([
    ['no JSON', '<html>proxy login</html>', 'the list ended in the middle'],
    ['another object', '{"kind":"Status","code":200}', 'the answer is no list of Kubernetes objects'],
    ['a list of nothing', '[]', 'the answer is no list of Kubernetes objects'],
    ['broken items', '{"kind":"PodList","metadata":{},"items":[{oops}]}', 'the answer is no JSON'],
    ['more after it', '{"kind":"PodList","metadata":{},"items":[]} x', 'the answer is no JSON'],
  ])('that answers with %s is not believed', async (_, body, why) => {
    const api = await startApi();
    api.faults.push(({ path }, response) => {
      if (path !== PODS) return false;
      response.writeHead(200).end(body);
      return true;
    });
    const { until } = follow(api);
    expect((await until(({ state }) => state === 'failed')).why).toBe(why);
  });

  test('whose list has no end is left', async () => {
    const api = await startApi();
    api.faults.push(({ path }, response) => {
      if (path !== PODS) return false;
      response.writeHead(200).end('{"kind":"PodList","metadata":{"continue":"again"},"items":[]}');
      return true;
    });
    const { until } = follow(api);
    expect((await until(({ state }) => state === 'failed')).why).toBe('the list has no end');
  });

  test('may tell of things that are no pods, too large or without a name', async () => {
    const api = await startApi();
    putPods(api, 1);
    api.put(PODS, pod('large', '10.244.3.7', { annotations: 'x'.repeat(5 << 20) }));
    api.faults.push(({ path, query }, response) => {
      if (path !== PODS || query.watch !== undefined) return false;
      const good = pod('web-0', '10.244.0.0');
      const items = [
        null,
        7,
        {},
        { metadata: { uid: '' } },
        { metadata: { uid: 'a' } },
        { ...good, metadata: { ...good.metadata, uid: 'b' } },
      ];
      const large = { metadata: { uid: 'c', annotations: { x: 'x'.repeat(5 << 20) } } };
      response
        .writeHead(200)
        .end(
          JSON.stringify({ kind: 'PodList', metadata: { resourceVersion: '1' }, items: [...items, large] }),
        );
      return true;
    });
    const { seen, until } = follow(api);
    const { why } = await until(({ state }) => state === 'ok');
    expect(seen.podNames).toEqual(['web-0']);
    expect(why).toBe('3 pods were too large, too many or not understood');
  });
});

describe('credentials', () => {
  test('that were renewed are read again', async () => {
    const api = await startApi();
    api.token = TOKEN;
    const { surroundings, seen, until } = follow(api);
    await until(({ state }) => state === 'ok');
    await eventually(() => expect(api.watchers()).toBe(1));
    writeToken(surroundings.serviceAccount, 'secret-token-2');
    api.token = 'secret-token-2';
    api.endWatches();
    api.put(PODS, pod('db-0', '10.244.3.7'));
    await eventually(() => expect(seen.podNames).toEqual(['db-0']));
    expect(api.requests.at(-1)?.authorization).toBe('Bearer secret-token-2');
  });

  test('that have run out are told, and taken once they are renewed', async () => {
    const api = await startApi();
    api.token = 'secret-token-2';
    const { surroundings, until } = follow(api);
    expect((await until(({ state }) => state === 'failed')).why).toBe(
      'the server does not accept the credentials (401): have they expired?',
    );
    writeToken(surroundings.serviceAccount, 'secret-token-2');
    await until(({ state }) => state === 'ok');
  });

  test('that are not allowed to see pods are told what is missing', async () => {
    const api = await startApi();
    api.forbidden.add(PODS);
    const { until } = follow(api);
    expect((await until(({ state }) => state === 'failed')).why).toBe(
      'not allowed (403): grant list and watch of pods',
    );
    api.forbidden.clear();
    await until(({ state }) => state === 'ok');
  });

  test('that were allowed to see pods ask again soon: an API server that begins refuses everybody', async () => {
    const api = await startApi();
    const { until } = follow(api, { timing: { ...FAST, refusedPauseMs: 3_600_000 } });
    await until(({ state }) => state === 'ok');
    await eventually(() => expect(api.watchers()).toBe(1));
    api.forbidden.add(PODS);
    api.cut();
    await until(({ state, why }) => state === 'stale' && why?.includes('403') === true);
    api.forbidden.clear();
    await until(({ state }) => state === 'ok');
  });
});

function refuse(code: number) {
  return (_: unknown, response: Parameters<typeof sendStatus>[0]) => {
    sendStatus(response, code, 'ServiceUnavailable');
    return true;
  };
}

interface Asked {
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
}

function listsOf(requests: readonly Asked[]): number {
  return requests.filter(({ path, query }) => path === PODS && query.watch === undefined).length;
}

function watchVersions(requests: readonly Asked[]): (string | undefined)[] {
  return requests.filter(({ query }) => query.watch !== undefined).map(({ query }) => query.resourceVersion);
}
