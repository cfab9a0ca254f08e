import { mkdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, it, vi } from 'vitest';
import { KernelSource } from '../../../../../src/attribute/sources/kernel/source.js';
import { temporaryDirectory } from '../../../../fixtures/directory.js';
import { RecordingObserver } from '../../../../fixtures/observer.js';
import { OFTEN, started } from '../../../../fixtures/polled-source.js';

// Many sockets and files, on machines that do other things too.
vi.setConfig({ testTimeout: 60_000 });

const uid = '0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0';

it('finds a pod by its processes, and its network namespace', async () => {
  addNode();
  addProcess(20, { parent: 10, netns: 500, cgroup: podCgroup(uid, 'a') });
  addProcess(21, { parent: 10, netns: 500, cgroup: podCgroup(uid, 'b'), name: 'odd) S 1 (name' });
  start();
  await observer.until(() => observer.pods.size > 0);
  expect([...observer.pods.values()]).toEqual([
    {
      key: uid,
      uid,
      interfaces: [],
      hostNetwork: false,
      netns: 500,
      containers: [{ id: 'a'.repeat(64) }, { id: 'b'.repeat(64) }],
    },
  ]);
});

it('takes the network namespace of a pod, not that of a container inside of it', async () => {
  addNode();
  addProcess(30, { parent: 10, netns: 500, cgroup: podCgroup(uid, 'a') });
  addProcess(20, { parent: 30, netns: 501, cgroup: `${podCgroup(uid, 'a')}/docker/${'c'.repeat(64)}` });
  start();
  await observer.until(() => observer.pods.size > 0);
  expect(observer.pods.get(uid)?.netns).toBe(500);
});

it.each([
  ['the first process', 1],
  ['the shim that started it', 10],
])('knows a pod with the network of the node by that of %s', async (_what, like) => {
  addProcess(1, { parent: 0, netns: like === 1 ? 100 : 99, cgroup: '/' });
  addProcess(10, { parent: 1, netns: like === 10 ? 100 : 99, cgroup: '/system.slice/containerd.service' });
  addProcess(20, { parent: 10, netns: 100, cgroup: podCgroup(uid, 'a') });
  start();
  await observer.until(() => observer.pods.size > 0);
  expect(observer.pods.get(uid)).toMatchObject({ hostNetwork: true });
  expect(observer.pods.get(uid)?.netns).toBeUndefined();
});

it('tells that a pod is gone with its last process', async () => {
  addNode();
  addProcess(20, { parent: 10, netns: 500, cgroup: podCgroup(uid, 'a') });
  start();
  await observer.until(() => observer.pods.size > 0);
  rmSync(join(proc, '20'), { recursive: true });
  await observer.until(() => observer.pods.size === 0);
});

it('knows the cgroups of a pod by their ids, each with its container', async () => {
  addNode();
  addProcess(20, { parent: 10, netns: 100, cgroup: podCgroup(uid, 'b') });
  addProcess(21, { parent: 10, netns: 100, cgroup: podCgroup(uid, 'a') });
  addProcess(22, { parent: 21, netns: 100, cgroup: `${podCgroup(uid, 'a')}/init.scope` });
  const ids = ['b', 'a'].map((letter) => makeCgroup(podCgroup(uid, letter)));
  const inner = makeCgroup(`${podCgroup(uid, 'a')}/init.scope`);
  const source = start();
  await observer.until(() => observer.pods.size > 0);
  const expected = [
    { id: ids[0], container: 'b'.repeat(64) },
    { id: ids[1], container: 'a'.repeat(64) },
    { id: inner, container: 'a'.repeat(64) },
  ];
  const byId = (a: { id: number | undefined }, b: { id: number | undefined }) => Number(a.id) - Number(b.id);
  expect(observer.pods.get(uid)?.cgroups).toEqual(expected.sort(byId));
  expect(source.state.why).toBeUndefined();
});

it('says when the sockets of a pod with the network of the node cannot be told', async () => {
  addNode();
  addProcess(20, { parent: 10, netns: 100, cgroup: podCgroup(uid, 'a') });
  const source = start();
  await observer.until(() => source.state.state === 'ok');
  expect(observer.pods.get(uid)?.cgroups).toBeUndefined();
  expect(source.state.why).toMatch(/sockets of pods with the network of the node are not told/);
});

it('says when network namespaces may not be seen, and passes over what ends meanwhile', async () => {
  addNode();
  addProcess(20, { parent: 10, netns: undefined, cgroup: podCgroup(uid, 'a') });
  mkdirSync(join(proc, '30'));
  const source = start();
  await observer.until(() => source.state.state === 'ok');
  expect(source.state.why).toMatch(/1 processes.*CAP_SYS_PTRACE/);
  expect(observer.pods.get(uid)?.hostNetwork).toBeUndefined();
});

it('says when it is in a container that sees only itself', async () => {
  addNode();
  mkdirSync(join(proc, 'self/ns'), { recursive: true });
  symlinkSync('pid:[4026532999]', join(proc, 'self/ns/pid'));
  const source = start();
  await observer.until(() => source.state.state === 'absent');
  expect(source.state.why).toMatch(/hostPID/);
});

it('lets others do their work while it walks over many processes', async () => {
  addNode();
  for (let pid = 1000; pid < 1300; pid++) {
    addProcess(pid, { parent: 10, netns: 500, cgroup: podCgroup(uid, 'a') });
  }
  const source = start();
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  await observer.until(() => source.state.state === 'ok');
  clearInterval(timer);
  expect(turns).toBeGreaterThan(3);
});

it('is absent where no process is in a pod, and not where all pods have gone', async () => {
  addNode();
  const source = start();
  await observer.until(() => source.state.state === 'absent');
  addProcess(20, { parent: 10, netns: 500, cgroup: podCgroup(uid, 'a') });
  await observer.until(() => source.state.state === 'ok');
  rmSync(join(proc, '20'), { recursive: true });
  await observer.until(() => source.state.pods === 0);
  expect(source.state.state).toBe('ok');
});

it('is failed where there are no processes to be seen', async () => {
  rmSync(proc, { recursive: true });
  const source = start();
  await observer.until(() => source.state.state === 'failed');
  expect(source.state.why).toMatch(/ENOENT/);
});

it('tells the addresses of the node', async () => {
  addNode();
  start();
  await observer.until(() => observer.nodes.length > 0);
  expect(observer.nodes[0]?.ips).toBeDefined();
  expect(observer.nodes[0]?.ips).not.toContain('127.0.0.1');
});

let proc: string;
let cgroupRoot: string;
let observer: RecordingObserver;

beforeEach(() => {
  proc = temporaryDirectory();
  cgroupRoot = temporaryDirectory();
  observer = new RecordingObserver();
});

function start(): KernelSource {
  return started(new KernelSource({ proc, pace: OFTEN, cgroupRoot }), observer);
}

/** Its first process and a shim. */
function addNode(): void {
  addProcess(1, { parent: 0, netns: 100, cgroup: '/' });
  addProcess(10, { parent: 1, netns: 100, cgroup: '/system.slice/containerd.service' });
}

interface FakeProcess {
  readonly parent: number;
  readonly netns: number | undefined;
  readonly cgroup: string;
  readonly name?: string;
}

function addProcess(pid: number, { parent, netns, cgroup, name = 'x' }: FakeProcess): void {
  const folder = join(proc, String(pid));
  mkdirSync(join(folder, 'ns'), { recursive: true });
  writeFileSync(join(folder, 'stat'), `${pid} (${name}) S ${parent} ${pid} ${pid} 0 -1`);
  if (netns !== undefined) symlinkSync(`net:[${netns}]`, join(folder, 'ns/net'));
  writeFileSync(join(folder, 'cgroup'), `0::${cgroup}\n`); // the last: without it the process is not there
}

/** Returns its id. */
function makeCgroup(path: string): number {
  mkdirSync(join(cgroupRoot, path), { recursive: true });
  return statSync(join(cgroupRoot, path)).ino;
}

function podCgroup(pod: string, letter: string): string {
  return `/kubepods/burstable/pod${pod}/${letter.repeat(64)}`;
}
