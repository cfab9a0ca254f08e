import { rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CriSource } from '../../../../../src/attribute/sources/cri/source.js';
import { FakeRuntime, statusOf } from '../../../../fixtures/cri-runtime.js';
import { temporaryDirectory } from '../../../../fixtures/directory.js';
import { RecordingObserver } from '../../../../fixtures/observer.js';
import { OFTEN, started, whileForbidden } from '../../../../fixtures/polled-source.js';

// Many sockets and files, on machines that do other things too.
vi.setConfig({ testTimeout: 60_000 });

describe('a container runtime', () => {
  it('that knows events is asked when it tells of one, and hardly otherwise', async () => {
    runtime.hasEvents = true;
    await runtime.listen();
    const source = start({ pace: { minMs: 10, maxMs: 1_000_000 } });
    await observer.until(() => source.state.state === 'ok');

    addPod('late', '10.0.0.9');
    await observer.until(() => {
      runtime.tellEvent();
      return observer.named('late') !== undefined;
    });
  });

  it('that knows none is asked again and again', async () => {
    await runtime.listen();
    const source = start();
    await observer.until(() => source.state.state === 'ok');
    addPod('late', '10.0.0.9');
    await observer.until(() => observer.named('late') !== undefined);
  });

  it('is told of as absent where there is none, and found when it comes', async () => {
    const source = start();
    await observer.until(() => source.state.state === 'absent');
    expect(source.state.why).toContain(socket);
    await runtime.listen();
    await observer.until(() => source.state.state === 'ok');
  });

  it('is found beside the socket that another one left behind', async () => {
    const left = join(temporaryDirectory(), 'left');
    addPod('web', '10.0.0.1');
    await runtime.listen();
    writeFileSync(left, '');
    start({ socket: undefined, places: { paths: [left, socket], words: 'here' } });
    await observer.until(() => observer.named('web') !== undefined);
  });

  it('that goes away leaves what it said, stale, until it is back', async () => {
    addPod('web', '10.0.0.1');
    await runtime.listen();
    const source = start();
    await observer.until(() => observer.named('web') !== undefined);

    runtime.close();
    rmSync(socket, { force: true });
    await observer.until(() => source.state.state === 'stale');
    expect(observer.named('web')).toBeDefined();
    expect(source.state.ageMs).toBeGreaterThanOrEqual(0);

    runtime.sandboxes = [];
    await runtime.listen();
    await observer.until(() => observer.pods.size === 0);
    expect(source.state).toMatchObject({ state: 'ok', pods: 0 });
  });

  it('that may not be asked is failed, with what it takes', async () => {
    await runtime.listen();
    await whileForbidden(socket, async () => {
      const source = start();
      await observer.until(() => source.state.state === 'failed');
      expect(source.state.why).toMatch(/permission denied.*root/);
    });
  });

  it('that never answers is failed, and asked again', async () => {
    runtime.hangs = true;
    await runtime.listen();
    const source = start({ deadlineMs: 500 });
    await observer.until(() => source.state.state === 'failed');
    expect(source.state.why).toMatch(/0\.5 s/);
    runtime.hangs = false;
    await observer.until(() => source.state.state === 'ok');
  });

  it('that never answers does not hold up the end', async () => {
    runtime.hangs = true;
    await runtime.listen();
    const source = start({ deadlineMs: 60_000 });
    await observer.until(() => runtime.asked > 0);
    const startedMs = performance.now();
    await source.stop();
    expect(performance.now() - startedMs).toBeLessThan(5000);
  });

  it('that answers more than can be taken is failed, with the size', async () => {
    addPod('huge', '10.0.0.1', { labels: { blob: 'x'.repeat(17 << 20) } });
    await runtime.listen();
    const source = start();
    await observer.until(() => source.state.state === 'failed');
    expect(source.state.why).toMatch(/larger than max/i);
  });

  it.each([
    ['nothing', ''],
    ['something else', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
    ['half of a frame', '\0\0'],
  ])('that turns out to be %s is failed', async (_what, bytes) => {
    const server = await listenRaw(bytes);
    const source = start({ deadlineMs: 300 });
    await observer.until(() => source.state.state === 'failed');
    server.close();
  });

  it('of 10,000 pods is told whole, what goes beyond is left out and said', async () => {
    for (let at = 0; at < 10_003; at++) addPod(`pod-${at}`, `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`);
    await runtime.listen();
    const source = start();
    await observer.until(() => observer.pods.size === 10_000);
    expect(source.state.why).toMatch(/3 of its 10003/);
  });
});

describe('a sandbox', () => {
  it.each([
    ['no detail', {}],
    ['a detail that is no JSON', '{"pid":'],
    ['a detail of other types', { pid: 'x', runtimeSpec: [], cniResult: { Interfaces: 'x' } }],
    [
      'namespaces that are none',
      { runtimeSpec: { linux: { namespaces: [null, 7, { type: 'network', path: 9 }] } } },
    ],
  ])('with %s has its address', async (_what, info) => {
    addPod('web', '10.0.0.1', {}, info);
    await runtime.listen();
    start();
    await observer.until(() => observer.named('web') !== undefined);
    expect(observer.named('web')?.interfaces).toEqual([{ ips: ['10.0.0.1'] }]);
    expect(observer.named('web')?.netns).toBeUndefined();
  });

  it('of CRI-O has the interfaces of its annotation', async () => {
    const CNIResult = JSON.stringify({
      cniVersion: '1.0.0',
      interfaces: [
        { name: 'lxc0123456789ab', mac: '0e:00:00:00:00:01' },
        { name: 'eth0', mac: '0e:00:00:00:00:02', sandbox: '/var/run/netns/x' },
      ],
      ips: [
        { address: '10.0.0.1/32', interface: 1 },
        { address: 'fd00::1/128', interface: 1 },
      ],
    });
    addPod(
      'web',
      '10.0.0.1',
      {},
      { runtimeSpec: { annotations: { 'io.kubernetes.cri-o.CNIResult': CNIResult } } },
    );
    await runtime.listen();
    start();
    await observer.until(() => observer.named('web') !== undefined);
    expect(observer.named('web')?.interfaces).toEqual([
      { ips: ['10.0.0.1', 'fd00::1'], hostDevice: 'lxc0123456789ab', podDevice: 'eth0' },
    ]);
  });

  it('whose process number is another one’s here has no network namespace', async () => {
    addPod('web', '10.0.0.1', {}, { pid: process.pid });
    await runtime.listen();
    start();
    await observer.until(() => observer.named('web') !== undefined);
    expect(observer.named('web')?.netns).toBeUndefined();
  });

  it('that has no address yet is asked about again', async () => {
    addPod('web', '');
    await runtime.listen();
    start();
    await observer.until(() => observer.named('web') !== undefined);
    runtime.statuses.set('web', statusOf({ ip: '10.0.0.1' }));
    await observer.until(() => observer.named('web')?.interfaces[0]?.ips[0] === '10.0.0.1');
  });

  it('that lies about its address has none', async () => {
    addPod('web', '10.0.0.1; rm -rf /');
    await runtime.listen();
    start();
    await observer.until(() => observer.named('web') !== undefined);
    expect(observer.named('web')?.interfaces).toEqual([{ ips: [] }]);
  });

  it('that ended before anybody looked is not told: its address may be another pod’s', async () => {
    addPod('old', '10.0.0.1', { state: 1, createdAt: (Date.now() - 60_000) * 1e6 });
    await runtime.listen();
    const source = start();
    await observer.until(() => source.state.state === 'ok');
    expect([...observer.pods.values(), ...observer.gonePods]).toEqual([]);
  });
});

let socket: string;
let runtime: FakeRuntime;
let observer: RecordingObserver;

beforeEach(() => {
  socket = join(temporaryDirectory(), 's');
  runtime = new FakeRuntime(socket);
  observer = new RecordingObserver();
});

afterEach(() => runtime.close());

function start(options: Partial<ConstructorParameters<typeof CriSource>[0]> = {}): CriSource {
  return started(new CriSource({ socket, pace: OFTEN, ...options }), observer);
}

function addPod(name: string, ip: string, sandbox: object = {}, info: object | string = {}): void {
  const metadata = { name, namespace: 'default', uid: `uid-${name}` };
  runtime.sandboxes.push({ id: name, metadata, state: 0, createdAt: Date.now() * 1e6, ...sandbox });
  runtime.statuses.set(name, statusOf({ ip, info }));
}

async function listenRaw(bytes: string): Promise<Server> {
  const server = createServer((connection) => {
    connection.on('error', () => undefined);
    connection.write(bytes);
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return server;
}
