import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { openApi } from '../../../../src/attach/kubernetes/api.js';
import { podPlace } from '../../../../src/attach/kubernetes/pod-place.js';
import type { Place } from '../../../../src/attach/place.js';
import { TIMING, type Timing } from '../../../../src/attribute/sources/kubernetes/timing.js';
import { type KubeApi, PODS, PORT_FORWARD } from '../../../support/kube-api.js';
import { eventually, FAST, kubeconfigOf, pod, startApi, TOKEN } from '../../../support/kubernetes.js';

describe('a server in a pod', () => {
  test('is reached by the port-forward of the Kubernetes API, with the user’s credentials', async () => {
    const api = await startApi();
    api.token = TOKEN;
    await listenIn(api, (socket) => socket.pipe(socket));
    const stream = await (await place(api)).connect(never());
    stream.write('hello');
    expect((await once(stream, 'data'))[0].toString()).toBe('hello');
    const seen = api.requests.find(({ path }) => path.endsWith('/portforward'));
    expect(seen).toMatchObject({
      path: '/api/v1/namespaces/shop/pods/rpftrace-1/portforward',
      query: { ports: '14100' },
      authorization: `Bearer ${TOKEN}`,
    });
  });

  test('is understood when the first words come with the answer to the handshake', async () => {
    const api = await startApi();
    api.forwards.isGathered = true;
    await listenIn(api, (socket) => socket.pipe(socket));
    const stream = await (await place(api)).connect(never());
    stream.write('hello');
    expect((await once(stream, 'data'))[0].toString()).toBe('hello');
  });

  test('gives and takes megabytes, byte for byte, at the pace of the slower side', async () => {
    const api = await startApi();
    await listenIn(api, (socket) => socket.pipe(socket));
    const stream = await (await place(api)).connect(never());
    const sent = Buffer.alloc(8 << 20, 'abcdefghijklmnopqrstuvwxyz0123456');
    stream.end(sent);
    const back = await readAll(stream, sent.length);
    expect(back.equals(sent)).toBe(true);
  });

  test('that ends closes the stream', async () => {
    const api = await startApi();
    await listenIn(api, (socket) => socket.end('bye'));
    const stream = await (await place(api)).connect(never());
    expect((await readAll(stream)).toString()).toBe('bye');
  });

  test('that is left closes the connection in the pod', async () => {
    const api = await startApi();
    const closed = new Promise<void>((resolve) => {
      void listenIn(api, (socket) => socket.on('close', () => resolve()));
    });
    const stream = await (await place(api)).connect(never());
    stream.destroy();
    await closed;
    await eventually(() => expect(api.forwards.open.size).toBe(0));
  });

  test.each([false, true])('that does not listen is told by the stream (at once: %s)', async (isAtOnce) => {
    const api = await startApi();
    api.forwards.isGathered = isAtOnce;
    api.put(PODS, pod('rpftrace-1', '10.0.0.1'));
    const stream = await (await place(api)).connect(never());
    const [error] = await once(stream.resume(), 'error');
    expect(error).toMatchObject({
      code: 'E_UNREACHABLE',
      message: 'k8s:shop/rpftrace-1:14100: nobody listens there',
    });
  });
});

describe('what is wrong', () => {
  test('no such pod', async () => {
    const api = await startApi();
    await expect((await place(api)).connect(never())).rejects.toMatchObject({
      code: 'E_NO_SERVER',
      message: expect.stringMatching(
        /^cannot connect to k8s:shop\/rpftrace-1:14100 by https:.*: there is no pod rpftrace-1 in namespace shop$/,
      ),
    });
  });

  test('the pod does not run', async () => {
    const api = await startApi();
    api.put(PODS, { ...pod('rpftrace-1', '10.0.0.1'), status: { phase: 'Pending' } });
    await expect((await place(api)).connect(never())).rejects.toMatchObject({
      code: 'E_UNREACHABLE',
      message: expect.stringContaining('the pod does not run: it is Pending'),
    });
  });

  test('it is not allowed: both verbs are named', async () => {
    const api = await startApi();
    api.put(PODS, pod('rpftrace-1', '10.0.0.1'));
    api.forbidden.add(PORT_FORWARD);
    await expect((await place(api)).connect(never())).rejects.toMatchObject({
      code: 'E_DENIED',
      message: expect.stringContaining(
        'not allowed (403): grant get and create of pods/portforward in namespace shop',
      ),
    });
  });

  test('the credentials have run out', async () => {
    const api = await startApi();
    api.token = 'another';
    await expect((await place(api)).connect(never())).rejects.toMatchObject({
      code: 'E_DENIED',
      message: expect.stringContaining('(401)'),
    });
    expect(api.requests).toHaveLength(2);
  });

  test('there is no kubeconfig', async () => {
    const opened = openApi({ kubeconfig: '/nowhere/config' }, never(), { timing: FAST });
    await expect(opened).rejects.toMatchObject({
      code: 'E_DENIED',
      message: 'cannot reach the Kubernetes API: there is no file /nowhere/config',
    });
  });

  test('the API server is away; it may come back', async () => {
    const api = await startApi();
    const there = await place(api);
    await api.stop();
    await expect(there.connect(never())).rejects.toMatchObject({
      code: 'E_UNREACHABLE',
      message: expect.stringContaining('nobody listens at the address of the server'),
    });
  });

  test('the node does not answer: it is given up soon, for others wait for their turn', async () => {
    const api = await startApi();
    api.put(PODS, pod('rpftrace-1', '10.0.0.1'));
    api.forwards.accept = (_key, _request, socket) => {
      socket.resume().on('error', () => undefined);
      setImmediate(() => vi.advanceTimersByTime(8000));
    };
    const there = await place(api, TIMING);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    await expect(there.connect(never())).rejects.toMatchObject({
      code: 'E_UNREACHABLE',
      message: expect.stringContaining('the server did not answer within 8 s'),
    });
  });

  test('what has worked may work again: a pod that is gone is waited for', async () => {
    const api = await startApi();
    await listenIn(api, (socket) => socket.pipe(socket));
    const there = await place(api);
    (await there.connect(never())).destroy();
    api.remove(PODS, 'rpftrace-1', 'shop');
    await expect(there.connect(never())).rejects.toMatchObject({
      code: 'E_UNREACHABLE',
      message: expect.stringContaining('there is no pod rpftrace-1'),
    });
  });

  test('nobody waits for it any more', async () => {
    const api = await startApi();
    await listenIn(api, (socket) => socket.pipe(socket));
    const abort = new AbortController();
    const connecting = (await place(api)).connect(abort.signal);
    abort.abort();
    await expect(connecting).rejects.toThrow();
    await eventually(() => expect(api.forwards.open.size).toBe(0));
  });

  test('nobody waits any more for what the API server knows of the pod', async () => {
    const api = await startApi();
    const abort = new AbortController();
    api.faults.push(({ path }) => {
      abort.abort();
      return path.endsWith('/pods/rpftrace-1');
    });
    await expect((await place(api, TIMING)).connect(abort.signal)).rejects.toThrow();
  });
});

async function place(api: KubeApi, timing: Timing = FAST): Promise<Place> {
  const cluster = await openApi({ kubeconfig: kubeconfigOf(api) }, never(), { timing });
  return podPlace(
    cluster,
    { namespace: 'shop', pod: 'rpftrace-1', port: 14_100 },
    { token: () => undefined },
  );
}

/** A pod with somebody who listens. */
async function listenIn(api: KubeApi, onSocket: (socket: Socket) => void): Promise<void> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    onSocket(socket);
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  api.put(PODS, pod('rpftrace-1', '10.0.0.1'));
  api.forwards.targets.set('shop/rpftrace-1:14100', { host: '127.0.0.1', port });
}

async function readAll(stream: Duplex, bytes = Number.POSITIVE_INFINITY): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let read = 0;
  for await (const piece of stream as AsyncIterable<Buffer>) {
    pieces.push(piece);
    read += piece.length;
    if (read >= bytes) break;
  }
  return Buffer.concat(pieces);
}

function never(): AbortSignal {
  return new AbortController().signal;
}
