import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, it, vi } from 'vitest';
import { CiliumStateSource } from '../../../../../src/attribute/sources/cilium/state-source.js';
import { temporaryDirectory } from '../../../../fixtures/directory.js';
import { RecordingObserver } from '../../../../fixtures/observer.js';
import { OFTEN, started } from '../../../../fixtures/polled-source.js';

// Many sockets and files, on machines that do other things too.
vi.setConfig({ testTimeout: 60_000 });

it('reads the JSON of newer versions', async () => {
  write(7, 'ep_config.json', JSON.stringify(endpoint(7, 'web', '10.0.0.1')));
  const source = start();
  await observer.until(() => observer.pods.size === 1);
  expect(observer.named('web')).toEqual({
    key: '7',
    namespace: 'default',
    name: 'web',
    interfaces: [{ ips: ['10.0.0.1', 'fd00::1'], hostDevice: 'lxc7', hostIfindex: 1007 }],
    containers: [{ id: '7container' }],
    cilium: { endpointId: 7, identity: 4242 },
  });
  expect(source.state).toMatchObject({ state: 'ok', at: folder, pods: 1 });
});

it.each(['ep_config.h', 'lxc_config.h'])('reads the comment in %s of those before', async (file) => {
  write(7, file, headerOf(endpoint(7, 'web', '10.0.0.1')));
  start();
  await observer.until(() => observer.named('web') !== undefined);
});

it('passes over what is no pod, and folders that are no endpoints', async () => {
  write(1, 'ep_config.json', JSON.stringify({ ...endpoint(1, '', ''), K8sPodName: '' }));
  write(7, 'ep_config.json', JSON.stringify(endpoint(7, 'web', '10.0.0.1')));
  mkdirSync(join(folder, 'templates'));
  mkdirSync(join(folder, '7_next'));
  const source = start();
  await observer.until(() => source.state.state === 'ok');
  expect([...observer.pods.keys()]).toEqual(['7']);
  expect(source.state.why).toBeUndefined();
});

it.each([
  ['half of a file', headerOf(endpoint(8, 'db', '10.0.0.2')).slice(0, 100)],
  ['an empty file', ''],
  ['base64 of something else', 'CILIUM_BASE64_1.0:AAAA\n'],
  ['too much', 'x'.repeat(5 << 20)],
])('says that %s cannot be read, and reads it when it can', async (_what, text) => {
  write(7, 'ep_config.h', headerOf(endpoint(7, 'web', '10.0.0.1')));
  write(8, 'ep_config.h', text);
  const source = start();
  await observer.until(() => source.state.state === 'ok');
  expect(source.state).toMatchObject({ pods: 1, why: '1 of 2 endpoints cannot be read' });

  write(8, 'ep_config.h', headerOf(endpoint(8, 'db', '10.0.0.2')));
  await observer.until(() => observer.named('db') !== undefined);
  await observer.until(() => source.state.why === undefined);
});

it('keeps what it read of a file that is being written', async () => {
  write(7, 'ep_config.json', JSON.stringify(endpoint(7, 'web', '10.0.0.1')));
  const source = start();
  await observer.until(() => observer.named('web') !== undefined);
  write(7, 'ep_config.json', '{"ID":');
  await observer.until(() => source.state.why !== undefined);
  expect(observer.named('web')).toBeDefined();
});

it('tells that an endpoint is gone with its folder', async () => {
  write(7, 'ep_config.json', JSON.stringify(endpoint(7, 'web', '10.0.0.1')));
  start();
  await observer.until(() => observer.pods.size === 1);
  rmSync(join(folder, '7'), { recursive: true });
  await observer.until(() => observer.pods.size === 0);
});

it('is absent where there is no folder', async () => {
  rmSync(folder, { recursive: true });
  const source = start();
  await observer.until(() => source.state.state === 'absent');
});

let folder: string;
let observer: RecordingObserver;

beforeEach(() => {
  folder = temporaryDirectory();
  observer = new RecordingObserver();
});

function start(): CiliumStateSource {
  return started(new CiliumStateSource({ folder, pace: OFTEN }), observer);
}

function write(id: number, file: string, text: string): void {
  mkdirSync(join(folder, String(id)), { recursive: true });
  writeFileSync(join(folder, String(id), file), text);
}

function endpoint(id: number, name: string, ip: string): object {
  return {
    ID: id,
    ContainerName: '',
    dockerID: `${id}container`,
    IfName: `lxc${id}`,
    IfIndex: id + 1000,
    LXCMAC: '0e:00:00:00:00:02',
    IPv6: 'fd00::1',
    IPv4: ip,
    SecLabel: { id: 4242, labels: { app: { key: 'app', value: 'web', source: 'k8s' } } },
    Options: { map: {} },
    K8sPodName: name,
    K8sNamespace: 'default',
  };
}

function headerOf(value: object): string {
  const base64 = Buffer.from(JSON.stringify(value)).toString('base64');
  return `/*\n * CILIUM_BASE64_MS4xNC4w:${base64}\n * \n * Container ID: x\n */\n\n#define LXC_ID 7\n`;
}
